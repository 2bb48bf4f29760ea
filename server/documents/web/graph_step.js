/* From an answer to the next step's document: what was kept takes the place of the inputs of which it
 * is the next. */

/* Where that stands of which a value is the next: the input w for u.next_w, if the node u has it as
 * its w; the number t in the node's config for u.config.t. Null where there is none. */
function originOf(document, name) {
    if (name in document.inputs) return `/inputs/${name}`;
    const [owner, field, part] = name.split(".");
    const index = document.nodes.findIndex((node) => node.name === owner);
    const node = document.nodes[index];
    const taken = part ? node[field]?.[part] : /^next_/.test(field) && node[field.slice(5)];
    if (typeof taken === "string") return originOf(document, taken);
    return part && typeof taken === "number" ? `/nodes/${index}/${field}/${part}` : null;
}

/* The text with the kept handles, each released by the step that replaces it. */
function nextStep(text, { results, kept }) {
    const { value: document, places } = readPlaces(text);
    const edits = [];
    const edit = ([start, end], json) => edits.push({ start, end, json });
    const steps = (values, group) =>
        Object.keys(values)
            .filter((name) => !(name in document.inputs))
            .map((name) => [originOf(document, name), values[name]])
            .filter(([origin]) => origin?.startsWith(group));
    document.inputs ??= {};
    const handles = new Map(steps(kept, "/inputs/"));
    for (const [origin, handle] of handles)
        edit(places.get(origin), `{"tensor": ${JSON.stringify(handle)}}`);
    for (const [origin, value] of steps(results, "/nodes/"))
        edit(places.get(origin), JSON.stringify(value));
    const release = `[${[...handles.values()].map((handle) => JSON.stringify(handle)).join(", ")}]`;
    const end = text.trimEnd().slice(0, -1).trimEnd().length;
    if (document.release) edit(places.get("/release"), release);
    else if (handles.size) edit([end, end], `,\n "release": ${release}`);
    return edits
        .sort((a, b) => b.start - a.start)
        .reduce(
            (text, { start, end, json }) => text.slice(0, start) + json + text.slice(end),
            text,
        );
}

function seriesPicture(name, values) {
    const highest = Math.max(...values.filter(Number.isFinite), Number.MIN_VALUE);
    return drawing(
        "svg",
        {
            class: "series",
            viewBox: "0 0 120 32",
            preserveAspectRatio: "none",
            role: "img",
            "aria-label": `${name} over ${values.length} runs`,
        },
        drawing("path", { class: "line", d: linePath(values, highest, values.length) }),
    );
}

/* A scalar, and the way that it took from run to run. */
function seriesFigure(name, values) {
    const count = values.length;
    const way = count > 1 ? `, ${brief(values[0])} at first, after ${count} runs` : "";
    return element(
        "figure",
        {},
        element(
            "figcaption",
            {},
            element("b", {}, name),
            " ",
            element("span", { class: "value" }, brief(values.at(-1))),
            way,
        ),
        count > 1 ? seriesPicture(name, values) : null,
    );
}

function keptFigure(kept) {
    const rows = Object.entries(kept).map(([name, handle]) =>
        element(
            "tr",
            {},
            element("th", { scope: "row" }, name),
            element("td", {}, element("code", { class: "handle" }, handle)),
        ),
    );
    return element(
        "figure",
        {},
        element("figcaption", {}, element("b", {}, "kept"), " handles of what stays on the server"),
        element("table", { class: "params" }, element("tbody", {}, rows)),
    );
}

/* What came: first the scalars, which are added to their series, by name. */
function graphResult({ results, kept }, text, series) {
    const tensors = Object.entries(results).filter(([, value]) => Array.isArray(value));
    const scalars = Object.entries(results).filter(([, value]) => !Array.isArray(value));
    for (const [name, value] of scalars)
        series.set(name, [...(series.get(name) ?? []), Number(value)]);
    return [
        ...scalars.map(([name]) => seriesFigure(name, series.get(name))),
        ...tensors.map(([name, value]) => outputFigure({ name, summary: "" }, value)),
        ...(Object.keys(kept).length ? [keptFigure(kept)] : []),
        asText(text),
    ];
}
