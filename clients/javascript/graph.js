// What POST /graph takes and gives.
import { commonDtype, readFile, readJson, readScalar, writeBytes, writeJson } from "./forms.js";
import { Cache, Handle, Kept } from "./handles.js";
import { Tensor, asTensor, badInput, isFloat } from "./tensor.js";

const KEPT = "kept.";

// An input that is no tensor of the file, as the document has it.
function writeInput(value) {
    if (value instanceof Cache) return { cache: value.handle };
    if (value instanceof Kept) return { tensor: value.handle };
    if (!(value instanceof Tensor) || isFloat(value) || value.dtype === "uint8") return value;
    return { shape: value.shape, data: Array.from(value.data), dtype: "int64" };
}

// The graph with its inputs as a list and its dtype: that of its typed arrays, else of what is kept.
export function prepareGraph({ inputs = {}, dtype, ...rest }) {
    const entries = Object.entries(inputs)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, asTensor(value) ?? value]);
    const common = commonDtype(entries);
    if (dtype && common && common !== dtype)
        throw badInput(`the graph's dtype is ${dtype}, but that of its typed arrays ${common}`);
    const held = entries.find(([, value]) => value instanceof Handle && value.dtype !== "int64");
    return { ...rest, entries, dtype: dtype ?? common ?? held?.[1].dtype };
}

export function writeGraph({ entries, nodes, give, keep, release, dtype }, bytes) {
    const inFile = ([, value]) => bytes && value instanceof Tensor;
    const rest = entries.filter((entry) => !inFile(entry));
    const graph = writeJson({
        dtype,
        inputs: Object.fromEntries(rest.map(([name, value]) => [name, writeInput(value)])),
        nodes,
        give,
        keep,
        release: release?.map(String),
    });
    return bytes ? writeBytes([...entries.filter(inFile), ["graph", graph]]) : graph;
}

// Results by their names, and the handles that stand beside them.
function readGraphBytes(buffer, keep) {
    const { tensors, texts } = readFile(buffer);
    const isKept = ([name]) => name.startsWith(KEPT) && keep.includes(name.slice(KEPT.length));
    const scalars = texts
        .filter((entry) => !isKept(entry))
        .map(([name, text]) => [name, readScalar(name, text)]);
    const handles = texts.filter(isKept).map(([name, text]) => [name.slice(KEPT.length), text]);
    return {
        results: Object.fromEntries([...tensors, ...scalars]),
        handles: Object.fromEntries(handles),
    };
}

function readGraphJson(buffer, dtype) {
    const { results, kept } = JSON.parse(new TextDecoder().decode(buffer));
    return { results: readJson(results, dtype), handles: kept };
}

// The class and the dtype of what is kept under a name.
function kindOf(name, { entries, nodes, dtype = "float64" }) {
    const input = entries.find(([key]) => key === name)?.[1];
    if (input instanceof Handle) return [input.constructor, input.dtype];
    if (input instanceof Tensor) return [Kept, isFloat(input) ? input.dtype : "int64"];
    if (input !== undefined) return ["cache" in Object(input) ? Cache : Kept, dtype];
    const [node, field, ...inner] = name.split(".");
    const isCache = field === "cache" && inner.length === 0;
    const { op } = nodes.find((other) => other.name === node);
    return [isCache && op !== "gradients" ? Cache : Kept, dtype];
}

export function readGraph(client, { buffer, isBytes }, graph) {
    const { keep = [], dtype = "float64" } = graph;
    const { results, handles } = isBytes
        ? readGraphBytes(buffer, keep)
        : readGraphJson(buffer, dtype);
    const kept = [...new Set(keep)].map((name) => {
        if (typeof handles[name] !== "string") throw new TypeError(`${name} was not kept`);
        const [Kind, kind] = kindOf(name, graph);
        return [name, new Kind(client, handles[name], kind)];
    });
    return { results, kept: Object.fromEntries(kept) };
}
