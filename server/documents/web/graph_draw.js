/* A graph drawn as boxes and arrows, and told in words. */

const MOST_BOXES = 120; /* more are told in words alone */
const LETTER = 7.3; /* of 12 pixels, no wider in any of the fonts */
const MOST_LETTERS = 28; /* of a line; the rest is in the words */
const LINE = 17;
const PADDING = 8;

function knownShape(shape) {
    return shape ? shapeText(shape) : "?";
}

/* "◆◇ out 4 × 8" */
function valueText({ label, shape, keep, give }, op) {
    const marks = `${keep ? "◆" : ""}${give ? "◇" : ""}`;
    const kind = op.startsWith("kept") ? op : "";
    const size = label === "cache" ? "" : knownShape(shape);
    return [marks, label, kind, size].filter(Boolean).join(" ");
}

/* Of what a node gives, that which is used or asked for; of its results all, where none is. */
function shownValues({ values }) {
    const wanted = ({ used, give, keep }) => used || give || keep;
    const none = !values.some((value) => !value.aside && wanted(value));
    return values.filter((value) => wanted(value) || (none && !value.aside));
}

function boxLines(box) {
    const values = shownValues(box).map((value) => ({
        text: valueText(value, box.input ? box.op : ""),
        kind: "value",
    }));
    const missing = box.uses
        .filter(({ value }) => !value)
        .map(({ name }) => ({ text: `✕ ${name}`, kind: "missing" }));
    return [
        { text: box.name, kind: "name" },
        ...(box.input ? [] : [{ text: box.op, kind: box.stranger ? "missing" : "op" }]),
        ...missing,
        ...values,
    ].map(({ text, kind }) => ({
        text: text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text,
        kind,
    }));
}

function boxNode({ lines, left, top, width, height, name, op, input, pointer }) {
    const texts = lines.map(({ text, kind }, i) =>
        drawing("text", { class: kind, x: PADDING, y: PADDING + LINE * (i + 0.72) }, text),
    );
    return drawing(
        "g",
        {
            class: input ? "box input" : "box",
            transform: `translate(${left} ${top})`,
            "data-pointer": pointer,
        },
        drawing("title", {}, `${name}: ${op}`),
        drawing("rect", { width, height, rx: input ? 12 : 4 }),
        texts,
    );
}

function arrowNode({ path, wanted, name, role, value, box }) {
    const title = `${name} → ${role} of ${box.name}, ${knownShape(value.shape)}`;
    return drawing(
        "path",
        { class: wanted ? "arrow wanted" : "arrow", d: path, "marker-end": "url(#arrow-head)" },
        drawing("title", {}, title),
    );
}

function arrowHead() {
    const attributes = { viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7 };
    return drawing(
        "defs",
        {},
        drawing(
            "marker",
            { id: "arrow-head", orient: "auto", ...attributes },
            drawing("path", { d: "M0 0 8 4 0 8z" }),
        ),
    );
}

function countText(boxes) {
    const inputs = boxes.filter(({ input }) => input).length;
    const counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;
    return `${counted(inputs, "input")} and ${counted(boxes.length - inputs, "node")}`;
}

/* The drawing of a graph within a width, in pixels. */
function graphPicture({ boxes }, room) {
    for (const box of boxes) {
        box.lines = boxLines(box);
        const letters = Math.max(...box.lines.map(({ text }) => text.length));
        box.width = Math.ceil(letters * LETTER) + 2 * PADDING;
        box.height = box.lines.length * LINE + 2 * PADDING;
    }
    const { width, height } = layOut(boxes, room - 2);
    const arrows = boxes.flatMap(({ uses }) => uses).filter(({ path }) => path);
    return drawing(
        "svg",
        {
            viewBox: `-1 -1 ${width + 2} ${height + 2}`,
            width: width + 2,
            height: height + 2,
            role: "img",
            "aria-label": `The graph: ${countText(boxes)}, told in words below`,
        },
        arrowHead(),
        arrows.map(arrowNode),
        boxes.map(boxNode),
    );
}

/* A line a box: "a1: affine/forward (x = x, w = w1, b = b1), out 4 × 8". */
function boxWords(box) {
    const uses = box.uses.map(
        ({ role, name, value }) => `${role} = ${name}${value ? "" : ": not there"}`,
    );
    const values = shownValues(box).map(
        (value) =>
            valueText({ ...value, keep: false, give: false }, "") +
            (value.keep ? " (kept)" : "") +
            (value.give ? " (in the answer)" : ""),
    );
    const taken = uses.length ? ` (${uses.join(", ")})` : "";
    return [`${box.name}: ${box.op}${taken}`, ...values].join(", ");
}

function graphWords({ boxes }) {
    return element(
        "details",
        {},
        element("summary", {}, "In words"),
        element(
            "ol",
            {},
            boxes.map((box) => element("li", {}, boxWords(box))),
        ),
    );
}

/* {node, show(graph), mark(pointer), stale(yes)}: what follows the text, and the room that it has. */
function makeGraphView() {
    const frame = element("div", { class: "frame" });
    const words = element("div");
    const legend = element(
        "p",
        { class: "quiet legend" },
        "◆ kept · ◇ in the answer · ? a shape that the text does not tell · dashed: gradients by these",
    );
    const node = element(
        "div",
        { class: "drawing" },
        element("h4", {}, "Drawing"),
        frame,
        legend,
        words,
    );
    let graph = null;
    let faulty = "";
    let width = 0;
    const draw = () => {
        const count = graph.boxes.length;
        if (count === 0) frame.replaceChildren("There is nothing in it yet.");
        else if (count > MOST_BOXES)
            frame.replaceChildren(`${countText(graph.boxes)} are too many to draw.`);
        else if (width > 0) frame.replaceChildren(graphPicture(graph, width));
        mark(faulty);
    };
    new ResizeObserver(() => {
        if (frame.clientWidth === width) return;
        width = frame.clientWidth;
        draw();
    }).observe(frame);
    const show = (read) => {
        graph = read;
        const open = words.querySelector("details[open]") !== null;
        words.replaceChildren(graphWords(graph));
        words.firstChild.open = open;
        draw();
    };
    const mark = (pointer) => {
        faulty = pointer;
        for (const box of frame.querySelectorAll(".box"))
            box.classList.toggle("faulty", `${faulty}/`.startsWith(`${box.dataset.pointer}/`));
    };
    const stale = (yes) => node.classList.toggle("stale", yes);
    return { node, show, mark, stale };
}
