/** A client for layerd: neural-network layers over HTTP.
 *
 *     const layerd = new Layerd({ url: "http://127.0.0.1:8080" });
 *     const { out, cache } = await layerd.call("affine", "forward", {
 *         x: new Tensor(new Float32Array([1, 2, 3, 4]), [2, 2]),
 *         w: new Tensor(new Float32Array([0.5, -1]), [2, 1]),
 *         b: new Float32Array([10]),
 *     });
 *     const { dw } = await layerd.call("affine", "backward", { dout, cache }, { cache: "release" });
 *
 * The client knows no operation by name: names are data, and the daemon checks them. */

export interface Arrays {
    float64: Float64Array;
    float32: Float32Array;
    int64: BigInt64Array;
    int32: Int32Array;
    uint8: Uint8Array;
}
export type Dtype = keyof Arrays;
export type TypedArray = Arrays[Dtype];

export type Nested = number | bigint | readonly Nested[] | TypedArray;

/** Elements in C order. Float64Array and Float32Array are values and set the dtype of the whole
 * computation; BigInt64Array, Int32Array and Uint8Array are labels, and Uint8Array a mask. */
export class Tensor<T extends TypedArray = TypedArray> {
    /** A tensor over `data`, which is not copied; one-dimensional without a shape. */
    constructor(data: T, shape?: readonly number[]);
    /** A copy of nested arrays (or of a number: rank 0). Throws where they are ragged, and where
     * a value does not fit. */
    static from<D extends Dtype = "float64">(nested: Nested, dtype?: D): Tensor<Arrays[D]>;
    static zeros<D extends Dtype = "float64">(
        shape: readonly number[],
        dtype?: D,
    ): Tensor<Arrays[D]>;
    readonly data: T;
    readonly shape: number[];
    readonly dtype: Dtype;
    readonly size: number;
    /** Nested arrays; the bare element for rank 0. */
    toNested(): any;
}

/** What backward needs of a forward, kept by the daemon. The daemon's copy is deleted by release(),
 * by a call with {cache: "release"}, some time after this object was garbage-collected (best
 * effort: no promise when, nor at the end of the process), or by the daemon after 15 minutes
 * without use. A handle that you keep as a string does not keep the cache: keep the object. */
export class Cache {
    private constructor();
    readonly handle: string;
    readonly dtype: "float64" | "float32";
    readonly released: boolean;
    /** Deletes it on the daemon. Fine to repeat, and if it has expired. */
    release(): Promise<void>;
    toString(): string;
}

/** A tensor that the daemon keeps: what put() and a graph's `keep` give, to be sent in the place of
 * a tensor in any operation and graph. It is deleted as caches are, and `release` of a graph gives
 * it up, too. */
export class Kept {
    private constructor();
    readonly handle: string;
    /** "int64" for labels. */
    readonly dtype: "float64" | "float32" | "int64";
    readonly released: boolean;
    release(): Promise<void>;
    toString(): string;
}

/** A kept tensor: its object, or its handle alone. */
export type KeptLike = Kept | { tensor: string };

/** Something to send as a tensor. Plain arrays are taken too, and make the request JSON: only the
 * daemon knows whether [0, 1] are values or labels. So large data belongs into typed arrays, its
 * labels as well. */
export type TensorLike =
    Tensor | TypedArray | { data: TypedArray; shape: readonly number[] } | Nested;

/** What is undefined is not sent. `dtype` sets that of plain arrays. */
export interface Inputs {
    [name: string]: TensorLike | KeptLike | Cache | string | Params | undefined;
}

export interface Params {
    [name: string]: TensorLike | KeptLike | string | undefined;
}

/** The answer by the daemon's names: tensors, numbers ("loss"), parameters as an object that can be
 * sent with the next call ("bn_param"), and the `cache`. Give `call` a type to narrow it. */
export type Answer = Record<string, any>;

export interface Options {
    /** The environment's LAYERD_URL, or http://127.0.0.1:8080. A path in it is kept. */
    url?: string;
    /** How tensors travel: "safetensors" (the default) as bytes, "json" as text. */
    form?: "safetensors" | "json";
    /** Milliseconds that a call may take, tries and pauses included; 0 is without end. 120,000. */
    timeout?: number;
    /** Further tries, 2. They follow 503 and 429, for which nothing was computed or kept, after the
     * pause that the daemon asks for; and a connection that failed, unless a cache was to be
     * released, when a second try could find it gone. At worst a forward whose answer was lost
     * leaves a cache behind until it expires. */
    retries?: number;
    /** Sent with every request as `Authorization: Bearer`, unless `headers` has an Authorization.
     * The environment's LAYERD_TOKEN, if any. */
    token?: string;
    /** Sent with every request. */
    headers?: Record<string, string>;
    /** In the place of the global fetch. */
    fetch?: typeof fetch;
}

export interface CallOptions {
    /** Ends the call, which rejects with the signal's reason. The daemon may still finish it. */
    signal?: AbortSignal;
    timeout?: number;
    form?: "safetensors" | "json";
    /** "none": forward keeps no cache. "release": backward gives the cache up. */
    cache?: "none" | "release";
}

/** A node of a graph: an operation whose tensors, caches and vectors of parameters are the names of
 * values that are there before, or the gradients of losses. */
export interface GraphNode {
    name: string;
    /** "affine/forward", or "gradients" with `of` and `for`. */
    op: string;
    of?: readonly string[];
    for?: readonly string[];
    [name: string]: string | number | readonly string[] | Record<string, unknown> | undefined;
}

export interface Graph {
    /** Typed arrays have the dtype of the call; those of integers are labels (Uint8Array a mask,
     * where a mask is taken). A cache is its object or {cache: "<handle>"}. Plain arrays are values
     * or labels as the nodes use them. What is undefined is not sent. */
    inputs?: { [name: string]: TensorLike | KeptLike | Cache | { cache: string } | undefined };
    /** At most 1024, run in order. */
    nodes: readonly GraphNode[];
    /** Names of the results and inputs to answer with: "l.loss", "d.w". */
    give?: readonly string[];
    /** Names of those to keep, tensors or caches. */
    keep?: readonly string[];
    /** What to give up when all is done. */
    release?: readonly (Kept | Cache | string)[];
    /** That of the typed arrays, else that of what is kept, else float64. */
    dtype?: "float64" | "float32";
}

export interface GraphAnswer<R = Record<string, any>, K = Record<string, any>> {
    /** Tensors, numbers and strings by the names in `give`: results["l.loss"]. */
    results: R;
    /** A Kept or a Cache for each name in `keep`. Once an object of these is garbage the daemon's
     * copy is deleted: keep the object, not its handle. */
    kept: K;
}

/** What is claimed, by the outputs' names, of whatever shape: a wrong one is told. */
export interface Claim {
    [name: string]: TensorLike | string | Claim;
}

/** What is found of one claim. The last five are of its worst element, with { detail: "values" }. */
export interface Finding {
    verdict: "right" | "undecided" | "wrong";
    /** The name of what was done wrongly, where it is a known one, and the same as a sentence. */
    fault?: string;
    says?: string;
    at?: number[];
    claimed?: number;
    expected?: number;
    error?: number;
    bound?: number;
}

export interface Verdict {
    /** "undecided": these inputs cannot tell right from wrong. */
    verdict: "right" | "undecided" | "wrong";
    /** By name, as they were claimed. */
    claim: Record<string, any>;
}

export interface CheckOptions extends Pick<CallOptions, "signal" | "timeout"> {
    /** "words", the default; "verdict" tells no fault; "values" shows the worst element, too. */
    detail?: "verdict" | "words" | "values";
    /** "float32" where numbers of float64 were computed in it. */
    precision?: "float64" | "float32";
    /** May loosen what is right, which is else what arithmetic in the dtype can give. */
    tolerance?: { rtol?: number; atol?: number };
}

export interface ChallengeOptions extends Pick<CallOptions, "signal" | "timeout"> {
    /** "plain", or another one that GET /challenge tells. */
    case?: string;
    dtype?: "float64" | "float32";
    /** What it is a part of: another one has other inputs. */
    assignment?: string;
    /** The SHA-256, in hex, of what is submitted: it has the same inputs for ever, and may be
     * answered again. Without, they are new, and take one answer. */
    submission?: string;
}

/** Inputs that were drawn, and the names of the outputs to be claimed: "out",
 * "bn_param.running_mean". */
export interface Challenge {
    challenge: string;
    expires: string;
    operation: string;
    inputs: Record<string, any>;
    claims: string[];
}

export class Layerd {
    constructor(options?: Options);
    /** Runs POST /<layer>/<operation>. Rejects with a LayerdError, or the reason of `signal`. */
    call<A = Answer>(
        layer: string,
        operation: string,
        inputs: Inputs,
        options?: CallOptions,
    ): Promise<A>;
    /** Runs POST /graph: several operations in one call, all or none of it. A graph that releases
     * something is not tried again after a connection that failed; of any other such a try leaves
     * at worst behind what it kept, until it expires.
     *
     *     const w = await layerd.put(new Float32Array([1, 2]));
     *     const { results, kept } = await layerd.graph({
     *         inputs: { w, dw: new Float32Array([10, -10]) },
     *         nodes: [{ name: "u", op: "sgd/update", w: "w", dw: "dw", config: { learning_rate: 0.1 } }],
     *         give: ["u.next_w"],
     *         keep: ["u.next_w"],
     *         release: [w],
     *     }); */
    graph<R = Record<string, any>, K = Record<string, any>>(
        graph: Graph,
        options?: Omit<CallOptions, "cache">,
    ): Promise<GraphAnswer<R, K>>;
    /** Keeps a tensor on the daemon. `dtype` is that of plain arrays. */
    put(
        tensor: TensorLike,
        options?: Omit<CallOptions, "cache"> & { dtype?: "float64" | "float32" },
    ): Promise<Kept>;
    /** The tensor of a kept one or of its handle. It travels as bytes in either form. */
    fetch(
        kept: KeptLike | string,
        options?: Pick<CallOptions, "signal" | "timeout">,
    ): Promise<Tensor>;
    /** Tells whether outputs of an operation are right. Of a backward the inputs are those of its
     * forward and dout.
     *
     *     const { claim } = await layerd.check("affine", "forward", { x, w, b }, { out });
     *     console.log(claim.out.says); */
    check(
        layer: string,
        operation: string,
        inputs: Inputs,
        claim: Claim,
        options?: CheckOptions,
    ): Promise<Verdict>;
    /** Has the daemon draw inputs of an operation, whose outputs are then to be claimed. */
    challenge(layer: string, operation: string, options?: ChallengeOptions): Promise<Challenge>;
    /** Claims all outputs that a challenge, or its text, asks for. */
    answer(
        challenge: Challenge | string,
        claim: Claim,
        options?: Pick<CheckOptions, "detail" | "signal" | "timeout">,
    ): Promise<Verdict>;
    /** Deletes the cache or kept tensor of a handle; an unknown one rejects with code
     * "unknown_cache". */
    remove(handle: string, options?: Pick<CallOptions, "signal" | "timeout">): Promise<void>;
}

export interface Moving {
    eps?: number;
    momentum?: number;
}

/** A length, or a height and a width. */
export type Size = number | readonly [number, number];

/** A layer by its name, or a list of its name, what it takes, and perhaps parameters; what these
 * lack has the daemon's defaults. Batchnorm, layernorm and affine stand on vectors (an affine on
 * images as well), what is spatial on images. */
export type NetworkLayer =
    | "relu"
    | "batchnorm"
    | "spatial_batchnorm"
    | "layernorm"
    | readonly ["relu"]
    /** outputs */
    | readonly ["affine", number]
    /** filters, size */
    | readonly ["conv", number, Size, { stride?: number; pad?: number }?]
    /** size; the stride is its height where it is not given. */
    | readonly ["max_pool", Size, { stride?: number }?]
    | readonly ["batchnorm" | "spatial_batchnorm", Moving?]
    | readonly ["layernorm", { eps?: number }?]
    /** groups */
    | readonly ["spatial_groupnorm", number, { eps?: number }?]
    /** The probability of keeping an element. Step t, from 0 on, draws by the seed `seed + t`. */
    | readonly ["dropout", number, { seed?: number }?];

export interface NetworkOptions {
    /** The shape of one example: 784, or [C, H, W]. */
    input: number | readonly number[];
    /** "softmax" */
    loss?: "softmax" | "svm";
    /** What moves the weights: "sgd". */
    update?: "sgd" | "sgd_momentum" | "rmsprop" | "adam";
    /** The daemon's default for the update. */
    learning_rate?: number | null;
    /** The update's other parameters: { momentum: 0.95 }. */
    config?: Record<string, number>;
    /** Of the first weights and of dropouts without one of their own, from 0 to 2³² − 1; 0. */
    seed?: number;
    /** That of all that is computed: "float64". */
    dtype?: "float64" | "float32";
}

/** A network of layers one after the other, whose weights stay with the daemon: a step is one call,
 * which takes a batch and gives a number.
 *
 *     const network = new Network(layerd, [["affine", 100], "relu", ["affine", 10]], {
 *         input: 784, update: "adam", learning_rate: 1e-3, dtype: "float32",
 *     });
 *     for (const { x, y } of batches) console.log(await network.step(x, y));
 *     const scores = await network.predict(x);
 *     await network.close();
 *
 * Weights have names by the layer's place in the list: "0.w", "0.b", "1.gamma", "1.beta", and so
 * have running statistics: "1.running_mean", "1.running_var". At first w is normal with the
 * deviation sqrt(2 / inputs), drawn as NumPy's RandomState(seed).randn draws, layer by layer; gamma
 * is ones, the rest zeros. Dropout i of n layers draws in step t by the seed `seed + t * n + i`, so
 * that a checkpoint goes on with the masks that it would have had. Seeds are taken modulo 2³².
 *
 * Calls wait for each other: they may be made at once. One that fails, or whose answer is lost,
 * changes nothing, and can be made again. For that a step gives up what the step before it
 * replaced, and the daemon holds the values twice. What nobody has used for the daemon's time (15
 * minutes) is gone: calls are refused with "unknown_cache" until load() brings a checkpoint. */
export class Network {
    /** Nothing is sent before the first call. */
    constructor(client: Layerd, layers: readonly NetworkLayer[], options: NetworkOptions);
    /** The network of a checkpoint, to go on from there. */
    static from(client: Layerd, bytes: Uint8Array | ArrayBuffer): Promise<Network>;
    /** Free to change between steps; null is the daemon's default. */
    learning_rate: number | null;
    /** Steps done. */
    readonly t: number;
    /** Trains on examples x and labels y, in one call: forward with layers in train mode, loss,
     * gradients, updates. Gives the loss before them. */
    step(
        x: TensorLike | KeptLike,
        y: TensorLike | KeptLike,
        options?: Omit<CallOptions, "cache">,
    ): Promise<number>;
    /** The scores of examples, with layers in test mode. */
    predict(x: TensorLike | KeptLike, options?: Omit<CallOptions, "cache">): Promise<Tensor>;
    /** Weights and running statistics by name. */
    weights(options?: Omit<CallOptions, "cache">): Promise<Record<string, Tensor>>;
    /** Sets some or all of these, copied. They go out with the next call. What the update has
     * gathered stays. */
    setWeights(weights: Record<string, TensorLike>): Promise<void>;
    /** A checkpoint, the bytes of a safetensors file: weights and running statistics by name, what
     * the update has gathered ("0.w.m" and "0.w.v" of adam, "0.w.velocity" of sgd_momentum,
     * "0.w.cache" of rmsprop), and in __metadata__ "t", "update", and "network", a description. The
     * Python client's networks are saved alike. */
    save(options?: Omit<CallOptions, "cache">): Promise<Uint8Array>;
    /** Takes a checkpoint of the same layers, of either dtype, even where the weights have expired
     * or the network was closed. Weights alone, or those of another update, begin the update anew,
     * with t at 0. One that does not fit is refused and changes nothing. */
    load(bytes: Uint8Array | ArrayBuffer): Promise<void>;
    /** Deletes the weights on the daemon; what it cannot be told of expires. */
    close(): Promise<void>;
}

export class LayerdError extends Error {
    /** The daemon's code ("shape_mismatch"), or one of the client's own: "invalid_input",
     * "transport" (no answer), "timeout", "bad_answer" (not what the contract promises). */
    readonly code: string;
    /** One sentence, the same as `message`. */
    readonly detail: string;
    /** HTTP status; 0 where no answer came. */
    readonly status: number;
    /** The input at fault as a JSON pointer: "/w". */
    readonly pointer?: string;
    readonly requestId?: string;
    /** Seconds that the daemon asks to wait. */
    readonly retryAfter?: number;
}
