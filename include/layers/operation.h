/* Operations: each is described once, by a layers_operation, and everything else follows from it.
 *
 *     layers_call call = {.operation = layers_find("affine", "forward")};
 *     layers_error error;
 *     call.inputs[0] = x; call.inputs[1] = w; call.inputs[2] = b;
 *     if (layers_prepare(&call, &error) == LAYERS_OK && layers_run(&call, &error) == LAYERS_OK)
 *         use(call.outputs[0], call.cache);
 *     layers_call_clear(&call);
 *
 * Inputs and parameters can be set by their names too: layers_set_tensor(&call, "x", x, &error).
 *
 * The library has no state of its own: everything here may be called from any thread, a layers_call
 * by one at a time. The formulas stand with each layer, in lib/layers/. */
#ifndef LAYERS_OPERATION_H
#define LAYERS_OPERATION_H

#include "layers/pool.h"
#include "layers/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERS_MAX_TENSORS 5 /* inputs, outputs or saved tensors of one operation */
#define LAYERS_MAX_PARAMS  8

/* A tensor that an operation takes or gives. `shape` is a pattern: dimensions by one capital letter
 * each, the same letter the same length throughout one call ("N D", "D M", "N"); a last "D..."
 * stands for any number of trailing dimensions whose product is D; "..." alone for any shape, the
 * same wherever it stands in the call; "" for a scalar. Parameters that are tensors have patterns
 * of the same letters: dropout's x is "...", and so is dropout_param.mask, which is like x. A
 * letter that no input has is a derived length, such as the P of conv's out, "N F P Q". */
typedef struct {
    const char *name; /* NULL ends a list */
    const char *shape;
    bool labels; /* integers (LAYERS_I64) instead of the call's dtype */
    bool apart; /* an output that is computed apart from the others, which can be done without it */
    const char *summary;
} layers_field;

typedef enum {
    LAYERS_NUMBER,  /* a double in [minimum, maximum], without the end that is open */
    LAYERS_INTEGER, /* the same, integral */
    LAYERS_CHOICE,  /* one of `choices` */
    LAYERS_TENSOR,  /* a tensor of pattern `shape`, zeros where absent; as it is after the call, it
                       goes back */
    LAYERS_MASK,    /* a tensor of pattern `shape`, zeros and ones: LAYERS_U8, LAYERS_I64,
                       LAYERS_F64 or LAYERS_F32, whatever the call's dtype; it does not go back */
} layers_param_kind;

typedef struct {
    const char *name; /* NULL ends a list */
    layers_param_kind kind;
    bool required;
    bool has_fallback; /* `fallback` is used where the parameter is absent */
    double fallback;
    double minimum, maximum;
    bool open_minimum, open_maximum;
    const char *choices[4]; /* NULL ends the list */
    const char *shape;
    const char *instead_of; /* a parameter above it that may not be given beside it, or NULL */
    const char *summary;
} layers_param;

/* Whether a parameter is a tensor, as LAYERS_TENSOR and LAYERS_MASK are. */
static inline bool layers_is_tensor(const layers_param *param) {
    return param->kind == LAYERS_TENSOR || param->kind == LAYERS_MASK;
}

/* The value of a parameter in one call. */
typedef struct {
    bool given;           /* by the caller or, after layers_prepare, by the fallback; a tensor is
                             given that is not a zeroed one */
    double number;        /* LAYERS_NUMBER and LAYERS_INTEGER */
    int choice;           /* LAYERS_CHOICE: index into `choices` */
    layers_tensor tensor; /* LAYERS_TENSOR and LAYERS_MASK */
    layers_tensor before; /* of a LAYERS_TENSOR, for the operation's run alone: what was given, or
                             zeros, where `tensor` is what goes back; it may be the same memory */
} layers_value;

typedef enum {
    LAYERS_CACHE_NONE,
    LAYERS_CACHE_GIVEN, /* the operation gives a cache */
    LAYERS_CACHE_TAKEN, /* the operation takes the cache that its layer's forward gave */
} layers_cache_use;

/* What a cache keeps of a call: an input, shared and not copied, or a tensor of its own. */
typedef struct {
    const char *name;   /* NULL ends a list */
    const char *shape;  /* of a tensor of its own; NULL: the input of that name, shared */
    layers_dtype dtype; /* of a tensor of its own */
} layers_saved;

typedef struct layers_call layers_call;

/* A length that follows from others and from the parameters: worked out when these have been
 * matched and found good, and kept with the cache, so that backward's patterns may name it too. */
typedef struct {
    char letter; /* '\0' ends a list */
    size_t (*length)(const layers_call *call);
    const char *formula; /* for people, in one line: "⌊(H + 2·pad − R) / stride⌋ + 1" */
} layers_derived;

/* How much arithmetic a call is: `times` the product of the lengths of these letters ("N D M"); for
 * NULL, an operation that passes over its tensors, the elements of its inputs and outputs. */
typedef struct {
    double times;
    const char *lengths;
} layers_work;

/* What right and wrong answers to an operation look like: opaque, in lib/answers/; see check.h. */
typedef struct layers_answers layers_answers;

typedef struct layers_operation {
    const char *layer;           /* "affine" */
    const char *name;            /* "forward", "backward", "loss" */
    const char *summary;         /* one sentence */
    const layers_field *inputs;  /* ended by a NULL name */
    const layers_field *outputs; /* ended by a NULL name */
    const char *params_name;     /* "bn_param", or NULL where there are no parameters */
    const layers_param *params;  /* ended by a NULL name, or NULL */
    bool params_back;          /* answers hold them too, complete, to be sent with the next call */
    layers_cache_use cache;    /* whether a cache is given or taken */
    const layers_saved *saved; /* LAYERS_CACHE_GIVEN: what the cache keeps */
    layers_work work;          /* how much arithmetic a call of it is */
    /* What the patterns cannot say, after the shapes have been matched; may be NULL. */
    layers_code (*check)(const layers_call *call, layers_error *error);
    const layers_derived *derived; /* ended by a '\0' letter, or NULL */
    /* Computes in LAYERS_F64 and in LAYERS_F32. Every output, saved tensor and parameter that goes
     * back is there, uninitialised, but those that are unwanted and apart, whose data is NULL; each
     * is set, never added to. Inputs are only read. */
    layers_code (*run[2])(layers_call *call, layers_error *error);
    /* Whether backward may go by the values of a cache that comes from elsewhere; NULL where it
     * goes by none of them. The call is prepared, and has the cache. */
    bool (*saved_holds)(const layers_call *call);
    const layers_answers *answers; /* what right and wrong answers look like: check.h */
} layers_operation;

#define LAYERS_MAX_DIMS 12 /* letters in the patterns of one layer, derived ones too */

typedef struct {
    char letter;
    size_t length;
    const char *by;              /* the name of the tensor that gave the length; NULL: the cache,
                                    or other lengths */
    const layers_tensor *tensor; /* that one, during layers_prepare */
} layers_dim;

/* The lengths that stand for the letters and dots of a call's patterns. */
typedef struct {
    int count;
    layers_dim dim[LAYERS_MAX_DIMS];
    bool has_tail; /* the dimensions behind "D..." or "..." are known */
    const char *tail_by;
    int tail_rank;
    size_t tail[LAYERS_MAX_RANK];
} layers_dims;

/* What backward needs of a forward: an opaque, reference-counted thing that never changes, so that
 * any number of calls in any number of threads may use one at once. */
typedef struct layers_cache layers_cache;

struct layers_call {
    /* The caller's part. Tensors are the call's from then on: layers_call_clear clears them. A
     * zeroed tensor is one that was not given. */
    const layers_operation *operation;
    layers_dtype dtype; /* LAYERS_F64 or LAYERS_F32: of every tensor but labels and masks */
    layers_tensor inputs[LAYERS_MAX_TENSORS];
    layers_value params[LAYERS_MAX_PARAMS]; /* after layers_run: the parameters that go back */
    layers_cache *cache; /* LAYERS_CACHE_TAKEN: the caller's, who gives his reference to the call;
                            LAYERS_CACHE_GIVEN: the result */
    layers_pool *pool;   /* helps with large calls; NULL: the calling thread computes alone */
    bool unwanted[LAYERS_MAX_TENSORS]; /* outputs without which the call would do: of these, what is
                                          computed apart is not, and has no memory */

    /* From layers_prepare. */
    layers_dims dims;
    size_t output_bytes; /* memory that the outputs will take */
    size_t
        cache_bytes; /* memory that the cache will hold, shared inputs counted, each buffer once */
    double work;     /* arithmetic that it takes, roughly: see layers_work */

    /* From layers_run; the shapes are there after layers_prepare. */
    layers_tensor outputs[LAYERS_MAX_TENSORS];
};

/* The operations, and what stands where in a call of each. Patterns are those of layers_field.
 *
 * affine/forward: Fully connected layer: out = reshape(x, (N, D)) · w + b.
 *     inputs[0] x "N D...": N examples of D features
 *     inputs[1] w "D M": weights
 *     inputs[2] b "M": biases
 *     outputs[0] out "N M": x · w + b
 *     cache: for backward
 *
 * affine/backward: Gradients of affine/forward: dx = dout · wᵀ, dw = xᵀ · dout, db = Σ_n dout.
 *     inputs[0] dout "N M": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N D...": gradient of x, in the shape of x
 *     outputs[1] dw "D M": gradient of w
 *     outputs[2] db "M": gradient of b
 *
 * relu/forward: Rectifier: out = max(x, 0); NaN stays NaN.
 *     inputs[0] x "...": any tensor
 *     outputs[0] out "...": max(x, 0)
 *     cache: for backward
 *
 * relu/backward: Gradient of relu/forward: dx = dout where x > 0, else 0.
 *     inputs[0] dout "...": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "...": gradient of x
 *
 * batchnorm/forward: Batch normalisation: out = gamma · (x − mean) / sqrt(var + eps) + beta.
 *     inputs[0] x "N D": N examples of D features
 *     inputs[1] gamma "D": scale of each feature
 *     inputs[2] beta "D": shift of each feature
 *     params[0] mode 0 "train" or 1 "test", required: "train" normalises by the batch, "test" by
 *         the running statistics
 *     params[1] eps number above 0, 1e-05 where absent: added to the variance
 *     params[2] momentum number from 0 to 1, 0.9 where absent: share of the running statistics that
 *         stays
 *     params[3] running_mean "D": running mean of each feature; zeros where absent
 *     params[4] running_var "D": running variance of each feature; zeros where absent
 *     outputs[0] out "N D": the normalised examples
 *     cache: for backward
 *
 * batchnorm/backward: Gradients of batchnorm/forward, through the statistics where they were the
 *     batch's.
 *     inputs[0] dout "N D": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N D": gradient of x
 *     outputs[1] dgamma "D": gradient of gamma
 *     outputs[2] dbeta "D": gradient of beta
 *
 * dropout/forward: Inverted dropout: out = x · mask / p, with mask = rand(shape of x) < p.
 *     inputs[0] x "...": any tensor
 *     params[0] p number above 0 to 1, required: the probability of keeping an element
 *     params[1] mode 0 "train" or 1 "test", required: "train" drops, "test" passes x through
 *     params[2] seed integer from 0 to 4294967295: of numpy.random.seed; drawn and given back where
 *         absent in train mode
 *     params[3] mask "...": zeros and ones like x, used as they are in train mode; not given back
 *     outputs[0] out "...": x · mask / p
 *     cache: for backward
 *
 * dropout/backward: Gradient of dropout/forward: dx = dout · mask / p.
 *     inputs[0] dout "...": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "...": gradient of x
 *
 * svm/loss: Multiclass hinge loss with margin 1, and its gradient.
 *     inputs[0] x "N C": scores of N examples for C classes
 *     inputs[1] y "N", labels: labels, 0 <= y < C
 *     outputs[0] loss "": mean loss of the examples
 *     outputs[1] dx "N C": gradient of the loss by x
 *
 * softmax/loss: Softmax cross-entropy loss, and its gradient.
 *     inputs[0] x "N C": scores of N examples for C classes
 *     inputs[1] y "N", labels: labels, 0 <= y < C
 *     outputs[0] loss "": mean loss of the examples
 *     outputs[1] dx "N C": gradient of the loss by x
 *
 * layernorm/forward: Layer normalisation: each row by its own mean and variance.
 *     inputs[0] x "N D": N examples of D features
 *     inputs[1] gamma "D": scale of each feature
 *     inputs[2] beta "D": shift of each feature
 *     params[0] eps number above 0, 1e-05 where absent: added to the variance
 *     outputs[0] out "N D": the normalised examples
 *     cache: for backward
 *
 * layernorm/backward: Gradients of layernorm/forward.
 *     inputs[0] dout "N D": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N D": gradient of x
 *     outputs[1] dgamma "D": gradient of gamma
 *     outputs[2] dbeta "D": gradient of beta
 *
 * conv/forward: Convolution: out = b + Σ w · window of x, zeros around it, the kernel not flipped.
 *     inputs[0] x "N C H W": N images of C channels
 *     inputs[1] w "F C R S": F kernels
 *     inputs[2] b "F": biases
 *     params[0] stride integer from 1 to 9007199254740991, 1 where absent: rows and columns from
 *         one window to the next
 *     params[1] pad integer from 0 to 9007199254740991, 0 where absent: zeros put around x on each
 *         side
 *     outputs[0] out "N F P Q": F channels
 *         P = ⌊(H + 2·pad − R) / stride⌋ + 1
 *         Q = ⌊(W + 2·pad − S) / stride⌋ + 1
 *     cache: for backward
 *
 * conv/backward: Gradients of conv/forward, dw and db summed over the batch.
 *     inputs[0] dout "N F P Q": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N C H W": gradient of x
 *     outputs[1] dw "F C R S": gradient of w
 *     outputs[2] db "F": gradient of b
 *
 * max_pool/forward: The largest of each window.
 *     inputs[0] x "N C H W": N images of C channels
 *     params[0] pool_height integer from 1 to 9007199254740991, required: rows of a window
 *     params[1] pool_width integer from 1 to 9007199254740991, required: columns of a window
 *     params[2] stride integer from 1 to 9007199254740991, required: rows and columns from one
 *         window to the next
 *     outputs[0] out "N C P Q": the largest of each window
 *         P = ⌊(H − pool_height) / stride⌋ + 1
 *         Q = ⌊(W − pool_width) / stride⌋ + 1
 *     cache: for backward
 *
 * max_pool/backward: Gradient of max_pool/forward: that of each window goes to its largest.
 *     inputs[0] dout "N C P Q": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N C H W": gradient of x
 *
 * spatial_batchnorm/forward: Batch normalisation of each channel, over N, H and W.
 *     inputs[0] x "N C H W": N images of C channels
 *     inputs[1] gamma "C": scale of each channel
 *     inputs[2] beta "C": shift of each channel
 *     params[0] mode 0 "train" or 1 "test", required: "train" normalises by the batch, "test" by
 *         the running statistics
 *     params[1] eps number above 0, 1e-05 where absent: added to the variance
 *     params[2] momentum number from 0 to 1, 0.9 where absent: share of the running statistics that
 *         stays
 *     params[3] running_mean "C": running mean of each channel; zeros where absent
 *     params[4] running_var "C": running variance of each channel; zeros where absent
 *     outputs[0] out "N C H W": the normalised examples
 *     cache: for backward
 *
 * spatial_batchnorm/backward: Gradients of spatial_batchnorm/forward.
 *     inputs[0] dout "N C H W": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N C H W": gradient of x
 *     outputs[1] dgamma "C": gradient of gamma
 *     outputs[2] dbeta "C": gradient of beta
 *
 * spatial_groupnorm/forward: Group normalisation: each group of an example's channels by its own
 *     mean and variance.
 *     inputs[0] x "N C H W": N images of C channels
 *     inputs[1] gamma "C": scale of each channel
 *     inputs[2] beta "C": shift of each channel
 *     params[0] groups integer from 1 to 9007199254740991, required: into which the channels are
 *         cut; divides C
 *     params[1] eps number above 0, 1e-05 where absent: added to the variance
 *     outputs[0] out "N C H W": the normalised examples
 *     cache: for backward
 *
 * spatial_groupnorm/backward: Gradients of spatial_groupnorm/forward.
 *     inputs[0] dout "N C H W": gradient of out
 *     cache: that of the layer's forward
 *     outputs[0] dx "N C H W": gradient of x
 *     outputs[1] dgamma "C": gradient of gamma
 *     outputs[2] dbeta "C": gradient of beta
 *
 * sgd/update: Stochastic gradient descent: next_w = w − learning_rate · dw.
 *     inputs[0] w "...": weights
 *     inputs[1] dw "...": gradient of w
 *     params[0] learning_rate number from 0, 0.01 where absent: length of the step
 *     outputs[0] next_w "...": the weights after the step
 *
 * sgd_momentum/update: Gradient descent with momentum: v = momentum · v − learning_rate · dw,
 *     next_w = w + v.
 *     inputs[0] w "...": weights
 *     inputs[1] dw "...": gradient of w
 *     params[0] learning_rate number from 0, 0.01 where absent: length of the step
 *     params[1] momentum number from 0 to 1, 0.9 where absent: share of the velocity that stays
 *     params[2] velocity "...": the last step; zeros where absent
 *     outputs[0] next_w "...": the weights after the step
 *
 * rmsprop/update: RMSProp: c = decay_rate · c + (1 − decay_rate) · dw², next_w = w − learning_rate
 *     · dw / (sqrt(c) + epsilon).
 *     inputs[0] w "...": weights
 *     inputs[1] dw "...": gradient of w
 *     params[0] learning_rate number from 0, 0.01 where absent: length of the step
 *     params[1] decay_rate number from 0 to 1, 0.99 where absent: share of the mean square that
 *         stays
 *     params[2] epsilon number above 0, 1e-08 where absent: added to the root
 *     params[3] cache "...": mean square of the gradients; zeros where absent
 *     outputs[0] next_w "...": the weights after the step
 *
 * adam/update: Adam: t, m and v move, next_w = w − learning_rate · (m / (1 − beta1ᵗ)) / (sqrt(v /
 *     (1 − beta2ᵗ)) + epsilon).
 *     inputs[0] w "...": weights
 *     inputs[1] dw "...": gradient of w
 *     params[0] learning_rate number from 0, 0.001 where absent: length of the step
 *     params[1] beta1 number from 0 to below 1, 0.9 where absent: share of the mean gradient that
 *         stays
 *     params[2] beta2 number from 0 to below 1, 0.999 where absent: share of the mean square that
 *         stays
 *     params[3] epsilon number above 0, 1e-08 where absent: added to the root
 *     params[4] m "...": mean of the gradients; zeros where absent
 *     params[5] v "...": mean of their squares; zeros where absent
 *     params[6] t integer from 0 to 9007199254740991, 0 where absent: steps made
 *     outputs[0] next_w "...": the weights after the step
 */

/* All operations, ended by NULL. */
LAYERS_API extern const layers_operation *const layers_operations[];

/* The operation of a layer by its name, or NULL. */
LAYERS_API const layers_operation *layers_find(const char *layer, const char *name);

/* Sets what a call takes by its name: an input or a parameter that is a tensor ("x",
 * "running_mean"), which is the call's from then on and takes the place of one that was there; a
 * number or an integer ("eps"); a choice ("mode", "train"). LAYERS_UNKNOWN_FIELD where the
 * operation has no such name, LAYERS_WRONG_TYPE where it is of another kind, LAYERS_INVALID_PARAM
 * where the choice is none; then the call is as it was, and the tensor the caller's. Whether shapes
 * and ranges fit is for layers_prepare to say. */
LAYERS_API layers_code layers_set_tensor(layers_call *call, const char *name, layers_tensor tensor,
                                         layers_error *error) __attribute__((warn_unused_result));
LAYERS_API layers_code layers_set_number(layers_call *call, const char *name, double number,
                                         layers_error *error) __attribute__((warn_unused_result));
LAYERS_API layers_code layers_set_choice(layers_call *call, const char *name, const char *choice,
                                         layers_error *error) __attribute__((warn_unused_result));

/* Checks everything that can be wrong with a call (fields that are missing, dtypes, shapes,
 * parameters, labels, the cache's layer), fills in fallbacks, and gives the outputs their shapes.
 * Allocates nothing. A tensor whose memory is still to come (its data NULL) is taken for its shape;
 * before layers_run the call has to be prepared with the memory. After LAYERS_OK, `output_bytes`,
 * `cache_bytes` and `work` tell what layers_run will take: a server compares them with its limits
 * in between. */
LAYERS_API layers_code layers_prepare(layers_call *call, layers_error *error)
    __attribute__((warn_unused_result));

/* Allocates the outputs (and the cache) and computes. Only after layers_prepare.
 * LAYERS_TOO_LARGE, LAYERS_NO_MEMORY.
 *
 * A call may be run again, with other inputs or the same: prepared anew, then run. What its last
 * run gave is then overwritten where the sizes are the same, which spares a large call its page
 * faults; an output or cache that someone else holds too (by layers_tensor_share or
 * layers_cache_ref) is left to him. Parameters that came back count as given, a drawn seed too:
 * who gives a mask next takes it away. */
LAYERS_API layers_code layers_run(layers_call *call, layers_error *error)
    __attribute__((warn_unused_result));

/* Frees what the call holds: inputs, parameters, outputs, and its reference to the cache. */
LAYERS_API void layers_call_clear(layers_call *call);

/* One more reference; returns `cache`. */
LAYERS_API layers_cache *layers_cache_ref(layers_cache *cache);
/* One reference less; the last one frees. NULL is fine. */
LAYERS_API void layers_cache_unref(layers_cache *cache);
/* The layer that gave it; static. */
LAYERS_API const char *layers_cache_layer(const layers_cache *cache);
/* The dtype of the call that gave it, and so of the backward. */
LAYERS_API layers_dtype layers_cache_dtype(const layers_cache *cache);
/* Memory that the cache keeps alive, each buffer counted once. */
LAYERS_API size_t layers_cache_bytes(const layers_cache *cache);

#ifdef __cplusplus
}
#endif
#endif
