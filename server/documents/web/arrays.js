/* Tensors: reading both JSON forms, and drawing small ones as tables of coloured cells. */

const MOST_CELLS = 1024; /* more are shown as text alone */
const MOST_COLUMNS = 64;
const READABLE_COLUMNS = 8; /* more have cells without numbers */

/* {shape, data} of a nested list, of a flat form or of a number; null for anything else. */
function readTensor(value) {
    if (Array.isArray(value?.shape) && Array.isArray(value.data)) return value;
    const shape = [];
    for (let list = value; Array.isArray(list); list = list[0]) shape.push(list.length);
    const data = [value].flat(Infinity);
    const size = shape.reduce((product, length) => product * length, 1);
    return data.length === size && data.every(isElement) ? { shape, data } : null;
}

function isElement(value) {
    return typeof value === "number" || ["NaN", "Infinity", "-Infinity"].includes(value);
}

/* The tensor in a field's text, where it is one. */
function parseTensor(text) {
    try {
        return readTensor(JSON.parse(text.replace(/"?(-?Infinity|NaN)"?/g, '"$1"')));
    } catch {
        return null;
    }
}

function shapeText(shape) {
    return shape.length === 0 ? "scalar" : shape.length === 1 ? `(${shape[0]})` : shape.join(" × ");
}

/* Nested lists, a row of the last dimension a line. */
function tensorText(value, indent = "") {
    if (!Array.isArray(value)) return JSON.stringify(value);
    if (!Array.isArray(value[0]))
        return `[${value.map((part) => JSON.stringify(part)).join(", ")}]`;
    const inner = `${indent} `;
    return `[${value.map((part) => tensorText(part, inner)).join(`,\n${inner}`)}]`;
}

function nestedOnes(shape) {
    const [length, ...rest] = shape;
    return shape.length === 0 ? 1 : Array.from({ length }, () => nestedOnes(rest));
}

/* [1, 0] of the third element of shape (2, 2) */
function indexOf(position, shape) {
    const index = [];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
        index.unshift(position % shape[axis]);
        position = Math.floor(position / shape[axis]);
    }
    return index;
}

/* A table with the last dimension across; null where the tensor is too large for one, or empty. */
function tensorTable(name, { shape, data }) {
    const columns = shape.at(-1) ?? 1;
    if (data.length === 0 || data.length > MOST_CELLS || columns > MOST_COLUMNS) return null;
    const largest = Math.max(...data.filter(Number.isFinite).map(Math.abs), Number.MIN_VALUE);
    const rows = [];
    for (let start = 0; start < data.length; start += columns)
        rows.push(
            element(
                "tr",
                {},
                data
                    .slice(start, start + columns)
                    .map((value, i) => cell(value, largest, indexOf(start + i, shape))),
            ),
        );
    return element(
        "table",
        {
            class: columns > READABLE_COLUMNS ? "tensor dense" : "tensor",
            "aria-label": `${name}, ${shapeText(shape)}`,
        },
        element("tbody", {}, rows),
    );
}

function cell(value, largest, index) {
    const sign = value > 0 ? "positive" : value < 0 ? "negative" : "";
    const td = element(
        "td",
        { class: sign, title: `[${index.join(", ")}] = ${value}` },
        brief(value),
    );
    if (Number.isFinite(value))
        td.style.setProperty("--strength", `${Math.abs(value / largest) * 100}%`);
    return td;
}
