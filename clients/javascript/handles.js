// What the daemon keeps: the caches of forwards, and tensors.

// Deletes what collected objects stood for. Nobody waits for it, and it may fail: the daemon lets a
// handle go by itself when it has not been used for a while.
const forgotten = new FinalizationRegistry(({ client, handle }) => {
    client.remove(handle).catch(() => {});
});

export class Handle {
    #client;
    constructor(client, handle, dtype) {
        this.#client = client;
        this.handle = handle;
        this.dtype = dtype;
        this.released = false;
        forgotten.register(this, { client, handle }, this);
    }

    // The daemon has deleted it, or is about to.
    forget() {
        this.released = true;
        forgotten.unregister(this);
    }

    async release() {
        if (this.released) return;
        this.forget();
        // One that is gone already is what was asked for.
        await this.#client.remove(this.handle).catch((error) => {
            if (error.code !== "unknown_cache") throw error;
        });
    }

    toString() {
        return this.handle;
    }
}

export class Cache extends Handle {}

export class Kept extends Handle {}

// The handle of a kept tensor, or undefined: a Kept's, or that of {tensor: "<handle>"}.
export function keptHandle(value) {
    if (value instanceof Kept) return value.handle;
    return typeof value?.tensor === "string" ? value.tensor : undefined;
}
