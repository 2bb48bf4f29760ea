/* Building elements, and writing addresses and figures. */

/* An element: attributes (functions listen, false and null are left out), then children. */
function element(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

function drawing(name, attributes = {}, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes))
        if (typeof value === "function") node.addEventListener(key, value);
        else if (value === true) node.setAttribute(key, "");
        else if (value !== false && value != null) node.setAttribute(key, value);
    node.append(...children.flat().filter((child) => child != null));
    return node;
}

function button(text, onClick, attributes = {}) {
    return element("button", { type: "button", click: onClick, ...attributes }, text);
}

/* Where a path of the daemon is: beside this page, which a proxy may serve under a prefix. */
function addressOf(path) {
    return new URL(`.${path}`, document.baseURI).href;
}

/* About four digits: what fits a cell. */
function brief(number) {
    if (typeof number !== "number") return minus(number);
    const size = Math.abs(number);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return minus(number.toExponential(1));
    return minus(Number(number.toPrecision(4)));
}

/* As a person would type it: 1e-5, 0.9. */
function decimal(number) {
    return number !== 0 && Math.abs(number) < 1e-3 ? number.toExponential() : String(number);
}

/* With a minus sign as wide as a digit. */
function minus(number) {
    return String(number).replaceAll("-", "−").replace("e+", "e");
}

function bytes(count) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    for (; count >= 1024 && unit < units.length - 1; unit++) count /= 1024;
    return `${Number(count.toPrecision(3))} ${units[unit]}`;
}

function duration(seconds) {
    if (seconds < 1e-3) return `${Number((seconds * 1e6).toPrecision(2))} µs`;
    if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(2))} ms`;
    return `${Number(seconds.toPrecision(2))} s`;
}

function capital(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
}
