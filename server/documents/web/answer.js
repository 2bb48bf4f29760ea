/* Answers, and what went wrong where there is none. */

/* {node, show(target, body)}; show runs the call and gives back its answer, if one comes. Of a good
 * one, `nodes` makes what is shown, of its JSON `spoken` what a screen reader says beside the status. */
function makeAnswer({ nodes, spoken }) {
    const status = element(
        "p",
        { class: "status quiet", role: "status" },
        "The answer appears here.",
    );
    const content = element("div", { class: "content" });
    const node = element("div", { class: "answer" }, element("h4", {}, "Answer"), status, content);
    const show = async (target, body) => {
        node.setAttribute("aria-busy", "true");
        try {
            const answer = await call(target, body);
            status.replaceChildren(...statusLine(answer, spoken));
            content.replaceChildren(...(answer.good ? nodes(answer) : problemNodes(answer)));
            if (answer.good) node.scrollIntoView({ block: "nearest" });
            return answer;
        } catch (error) {
            status.replaceChildren(element("b", { class: "bad" }, "No answer"));
            content.replaceChildren(
                element(
                    "p",
                    {},
                    `The daemon could not be reached, or its answer not read: ${error.message}.`,
                ),
            );
            return null;
        } finally {
            node.setAttribute("aria-busy", "false");
        }
    };
    return { node, show };
}

function statusLine({ status, good, timing, json }, spoken) {
    const times = Object.entries(timing).map(([phase, ms]) => `${phase} ${duration(ms / 1e3)}`);
    return [
        element("b", { class: good ? "good" : "bad" }, status),
        element("span", { class: "times" }, ` ${good ? times.join(" · ") : ""}`),
        element("span", { class: "spoken" }, good ? spoken(json) : json.title),
    ];
}

/* "out 2 × 2, ..." of [name, value] pairs. */
function spokenShapes(pairs) {
    return pairs
        .map(([name, value]) => `${name} ${shapeText(readTensor(value)?.shape ?? [])}`)
        .join(", ");
}

/* The answer of an operation. */
function operationAnswer(operation, onHandle) {
    return makeAnswer({
        nodes: (answer) =>
            answer.json.verdict ? findings(answer) : result(answer, operation, onHandle),
        spoken: (json) =>
            json.verdict ?? spokenShapes(operation.outputs.map(({ name }) => [name, json[name]])),
    });
}

function result(answer, operation, onHandle) {
    const { json } = answer;
    const nodes = operation.outputs.map((row) => outputFigure(row, json[row.name]));
    const params = operation.params_name && json[operation.params_name];
    if (params) nodes.push(paramsFigure(operation, params));
    if (json.cache) nodes.push(handleNode(json, onHandle));
    nodes.push(asText(answer.text));
    return nodes;
}

function outputFigure(row, value) {
    const tensor = readTensor(value);
    const picture = tensor && tensorPicture(row, tensor);
    return element(
        "figure",
        {},
        element(
            "figcaption",
            {},
            element("b", {}, row.name),
            " ",
            element("span", { class: "hint" }, shapeText(tensor?.shape ?? [])),
            " ",
            row.summary + derivedText(row),
        ),
        picture ?? textNode(JSON.stringify(value).slice(0, 2000)),
    );
}

function paramsFigure({ params_name: name, params }, values) {
    const rows = params
        .filter((row) => row.name in values)
        .map((row) => {
            const value = values[row.name];
            const tensor = row.kind === "tensor" ? readTensor(value) : null;
            const shown = tensor && tensorPicture(row, tensor);
            return element(
                "tr",
                {},
                element("th", { scope: "row" }, row.name),
                element("td", {}, shown ?? JSON.stringify(value)),
            );
        });
    return element(
        "figure",
        {},
        element("figcaption", {}, element("b", {}, name)),
        element("table", { class: "params" }, element("tbody", {}, rows)),
    );
}

function handleNode(json, onHandle) {
    return element(
        "figure",
        {},
        element("figcaption", {}, element("b", {}, "cache"), " what backward needs"),
        element("code", { class: "handle" }, json.cache),
        onHandle(json),
    );
}

function textNode(text) {
    return element(
        "pre",
        { tabindex: "0", "aria-label": "The answer as text" },
        element("code", {}, text),
    );
}

function asText(text) {
    return element("details", {}, element("summary", {}, "As text"), textNode(text));
}

function problemNodes({ json, text }) {
    const place = json.pointer ?? (json.line ? `line ${json.line}, column ${json.column}` : null);
    return [
        element(
            "div",
            { class: "problem" },
            element("p", { class: "problem-title" }, json.title),
            element("p", {}, `${capital(json.detail)}.`),
            element(
                "p",
                { class: "quiet" },
                element("code", {}, json.code),
                ...(place ? [" at ", element("code", {}, place)] : []),
            ),
        ),
        asText(text),
    ];
}
