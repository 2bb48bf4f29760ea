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

/** Something to send as a tensor. Plain arrays are taken too, and make the request JSON: only the
 * daemon knows whether [0, 1] are values or labels. So large data belongs into typed arrays, its
 * labels as well. */
export type TensorLike =
    Tensor | TypedArray | { data: TypedArray; shape: readonly number[] } | Nested;

/** What is undefined is not sent. `dtype` sets that of plain arrays. */
export interface Inputs {
    [name: string]: TensorLike | Cache | string | Params | undefined;
}

export interface Params {
    [name: string]: TensorLike | string | undefined;
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
    /** Sent with every request: {Authorization: "Bearer ..."}. */
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

export class Layerd {
    constructor(options?: Options);
    /** Runs POST /<layer>/<operation>. Rejects with a LayerdError, or the reason of `signal`. */
    call<A = Answer>(
        layer: string,
        operation: string,
        inputs: Inputs,
        options?: CallOptions,
    ): Promise<A>;
    /** Deletes the cache of a handle; an unknown one rejects with code "unknown_cache". */
    remove(handle: string, options?: Pick<CallOptions, "signal" | "timeout">): Promise<void>;
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
