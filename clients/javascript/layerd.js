// A client for layerd, for Node 18 and later and for browsers, over fetch.
//
// It knows no operation by name: what a caller gives goes out under the names that he chose, what
// the daemon answers comes back under the daemon's, and the daemon checks. Types and the manual of
// each function stand in layerd.d.ts.

import {
    commonDtype,
    fitsBytes,
    flatten,
    readBytes,
    readJson,
    writeBytes,
    writeJson,
} from "./forms.js";
import { prepareGraph, readGraph, writeGraph } from "./graph.js";
import { Cache, Handle, Kept } from "./handles.js";
import { LayerdError, Tensor, badAnswer, badInput, isFloat } from "./tensor.js";

export { Network } from "./network.js";
export { Cache, Kept, LayerdError, Tensor };

const BYTES = "application/vnd.safetensors";
const JSON_TYPE = "application/json";

async function readProblem(response, requestId) {
    const problem = (await response.json().catch(() => null)) ?? {};
    const retryAfter = Number(response.headers.get("Retry-After") ?? NaN);
    return new LayerdError(
        problem.code ?? "bad_answer",
        problem.detail ?? `the answer has status ${response.status} and says no more`,
        {
            status: response.status,
            pointer: problem.pointer,
            requestId,
            retryAfter: retryAfter >= 0 ? retryAfter : undefined,
        },
    );
}

/* ---- the client ---------------------------------------------------------------------------- */

// Waits, and rejects with the signal's reason as soon as there is one.
function sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const stop = () => {
            clearTimeout(timer);
            reject(signal.reason);
        };
        const timer = setTimeout(() => {
            signal.removeEventListener("abort", stop);
            resolve();
        }, milliseconds);
        signal.addEventListener("abort", stop, { once: true });
    });
}

// Runs `work` with a signal that also ends it after `timeout` milliseconds.
async function withTimeout(timeout, outer, work) {
    const controller = new AbortController();
    const stop = () => controller.abort(outer.reason);
    const late = () =>
        controller.abort(new LayerdError("timeout", `no answer came within ${timeout} ms`));
    outer?.throwIfAborted();
    outer?.addEventListener("abort", stop, { once: true });
    const timer = timeout > 0 ? setTimeout(late, timeout) : undefined;
    try {
        return await work(controller.signal);
    } finally {
        clearTimeout(timer);
        outer?.removeEventListener("abort", stop);
    }
}

// The dtype of the first kept tensor of values: a call of handles alone has no other word for it.
const dtypeOfKept = (handles) =>
    handles.find((handle) => handle instanceof Kept && handle.dtype !== "int64")?.dtype;

function requestOf(path, form, bytes, { cache } = {}) {
    const query = { ...(form === "json" && { tensors: "flat" }), ...(cache && { cache }) };
    const search = String(new URLSearchParams(query));
    return {
        method: "POST",
        path: `${path}${search && `?${search}`}`,
        headers: {
            "Content-Type": bytes ? BYTES : JSON_TYPE,
            Accept: form === "safetensors" ? BYTES : JSON_TYPE,
        },
    };
}

function readAnswer(client, { buffer, isBytes }, dtype) {
    const answer = isBytes
        ? readBytes(buffer)
        : readJson(JSON.parse(new TextDecoder().decode(buffer)), dtype);
    if (answer.cache) {
        const given = Object.values(answer).find(isFloat)?.dtype ?? dtype;
        answer.cache = new Cache(client, answer.cache, given);
    }
    return answer;
}

// A header of the caller's own goes before the token.
function withToken(headers = {}, token) {
    const has = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
    return token && !has ? { Authorization: `Bearer ${token}`, ...headers } : headers;
}

const FIRST_PAUSE = 0.1; // seconds, doubled with each try

export class Layerd {
    #url;
    #options;

    constructor(options = {}) {
        const { url, form = "safetensors", timeout = 120_000, retries = 2 } = options;
        if (form !== "safetensors" && form !== "json")
            throw badInput(`form is "safetensors" or "json", not ${JSON.stringify(form)}`);
        const environment = globalThis.process?.env ?? {};
        const fallback = environment.LAYERD_URL ?? "http://127.0.0.1:8080";
        const headers = withToken(options.headers, options.token ?? environment.LAYERD_TOKEN);
        this.#url = String(url ?? fallback).replace(/\/+$/, "");
        // Called without a receiver: a browser's fetch refuses any but window.
        const fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
        this.#options = { form, timeout, retries, headers, fetch };
    }

    async call(layer, operation, inputs, options = {}) {
        const { form, timeout, signal, cache } = { ...this.#options, ...options };
        const entries = flatten(inputs);
        const handles = entries
            .map(([, value]) => value)
            .filter((value) => value instanceof Handle);
        const common = commonDtype(entries);
        const said = inputs.dtype ?? common;
        const dtype = said ?? dtypeOfKept(handles);
        const bytes = form === "safetensors" && fitsBytes(entries);
        const path = `/${[layer, operation].map(encodeURIComponent).join("/")}`;
        const request = {
            ...requestOf(path, form, bytes, { cache }),
            body: bytes
                ? writeBytes(said === dtype ? entries : [...entries, ["dtype", dtype]])
                : writeJson({ ...inputs, dtype }),
            // A cache that was given up could be gone after a try whose answer was lost.
            repeatable: cache !== "release",
        };
        const reply = await this.#send(request, { timeout, signal });
        // Used after the answer, `handles` are no garbage, and not deleted, before it.
        const taken = handles.find((handle) => handle instanceof Cache);
        if (cache === "release") taken?.forget();
        return this.#read(reply, (reply) =>
            readAnswer(this, reply, dtype ?? taken?.dtype ?? "float64"),
        );
    }

    async graph(graph, options = {}) {
        const { form, timeout, signal } = { ...this.#options, ...options };
        const prepared = prepareGraph(graph);
        const { release = [] } = prepared;
        const bytes = form === "safetensors";
        const request = {
            ...requestOf("/graph", form, bytes),
            body: writeGraph(prepared, bytes),
            repeatable: release.length === 0,
        };
        const reply = await this.#send(request, { timeout, signal });
        for (const handle of release) if (handle instanceof Handle) handle.forget();
        return this.#read(reply, (reply) => readGraph(this, reply, prepared));
    }

    async put(tensor, { dtype, ...options } = {}) {
        const graph = { inputs: { tensor }, nodes: [], keep: ["tensor"], dtype };
        return (await this.graph(graph, options)).kept.tensor;
    }

    async fetch(kept, options = {}) {
        const tensor = typeof kept === "string" ? { tensor: kept } : kept;
        const graph = { inputs: { tensor }, nodes: [], give: ["tensor"] };
        return (await this.graph(graph, { ...options, form: "safetensors" })).results.tensor;
    }

    async check(layer, operation, inputs, claim, options = {}) {
        const { precision, tolerance, detail = "words", ...rest } = options;
        const entries = flatten(inputs);
        const dtype = inputs.dtype ?? commonDtype(entries) ?? dtypeOfKept(entries.map(([, v]) => v));
        const path = `/check/${[layer, operation].map(encodeURIComponent).join("/")}`;
        const body = { ...inputs, dtype, claim, precision, tolerance };
        return this.#ask(path, { detail }, body, rest, dtype);
    }

    async challenge(layer, operation, options = {}) {
        const { dtype = "float64", assignment, submission, ...rest } = options;
        const body = { operation: `${layer}/${operation}`, case: rest.case, dtype };
        const query = { tensors: "flat" };
        return this.#ask("/challenge", query, { ...body, assignment, submission }, rest, dtype);
    }

    async answer(challenge, claim, options = {}) {
        const { detail = "words", ...rest } = options;
        const text = typeof challenge === "string" ? challenge : challenge.challenge;
        return this.#ask("/challenge/answer", { detail }, { challenge: text, claim }, rest);
    }

    async remove(handle, { timeout = this.#options.timeout, signal } = {}) {
        const path = `/cache/${encodeURIComponent(handle)}`;
        await this.#send(
            { method: "DELETE", path, headers: {}, repeatable: false },
            { timeout, signal },
        );
    }

    // What goes and comes as JSON, which has claims of any shape. It is fine to repeat: the same
    // answer to a challenge gets the same verdict.
    async #ask(path, query, body, options, dtype = "float64") {
        const { timeout, signal } = { ...this.#options, ...options };
        const request = {
            method: "POST",
            path: `${path}?${new URLSearchParams(query)}`,
            headers: { "Content-Type": JSON_TYPE, Accept: JSON_TYPE },
            body: writeJson(body),
            repeatable: true,
        };
        const reply = await this.#send(request, { timeout, signal });
        return this.#read(reply, ({ buffer }) =>
            readJson(JSON.parse(new TextDecoder().decode(buffer)), dtype),
        );
    }

    #read(reply, read) {
        try {
            return read(reply);
        } catch (cause) {
            throw badAnswer("the answer is not what the contract promises", {
                status: 200,
                requestId: reply.requestId,
                cause,
            });
        }
    }

    // Tries until there is an answer, the time is over, or another try would help nobody.
    async #send(request, { timeout, signal }) {
        const end = timeout > 0 ? Date.now() + timeout : Infinity;
        return withTimeout(timeout, signal, async (ending) => {
            for (let pause = FIRST_PAUSE, left = this.#options.retries; ; pause *= 2, left--) {
                try {
                    return await this.#try(request, ending);
                } catch (error) {
                    if (ending.aborted) throw ending.reason;
                    if (left <= 0 || !this.#mayRetry(request, error)) throw error;
                    const seconds = error.retryAfter ?? pause;
                    if (Date.now() + seconds * 1000 >= end) throw error;
                    await sleep(seconds * 1000, ending);
                }
            }
        });
    }

    #mayRetry({ repeatable }, { code, status }) {
        return status === 503 || status === 429 || (code === "transport" && repeatable);
    }

    async #try({ method, path, headers, body }, signal) {
        const { fetch, headers: own } = this.#options;
        let requestId;
        try {
            const response = await fetch(this.#url + path, {
                method,
                headers: { ...own, ...headers },
                body,
                signal,
            });
            requestId = response.headers.get("X-Request-Id") ?? undefined;
            if (!response.ok) throw await readProblem(response, requestId);
            const isBytes = (response.headers.get("Content-Type") ?? "").startsWith(BYTES);
            return { buffer: await response.arrayBuffer(), isBytes, requestId };
        } catch (error) {
            if (error instanceof LayerdError) throw error;
            const why = error.cause?.message || error.message;
            throw new LayerdError("transport", `${this.#url} gave no answer: ${why}`, {
                requestId,
                cause: error,
            });
        }
    }
}
