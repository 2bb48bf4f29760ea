/* The form of an operation, with its options and its line for a shell. */

/* Keys and values that the operation takes in its query, as boxes to tick. */
function queryBoxes(operation) {
    return operation.query.map(({ name, description, schema }) => {
        const box = element("input", { type: "checkbox", value: `${name}=${schema.enum[0]}` });
        return {
            box,
            node: element(
                "label",
                { class: "option" },
                box,
                element("code", {}, box.value),
                ` ${description}`,
            ),
        };
    });
}

/* Runs a form's call, shows what comes of it, and marks what was wrong. */
async function runForm({ fields, target, answer }) {
    const pieces = objectPieces(fields);
    const said = await answer.show(target(), bodyOf(pieces));
    const problem = said?.good === false ? said.json : null;
    markFault(fields, problem && fieldAtFault(problem, fields, pieces), problem?.detail);
}

function fieldAtFault(problem, fields, pieces) {
    if (problem.pointer) return fieldAtPointer(fields, problem.pointer);
    return problem.offset === undefined ? null : fieldAtOffset(pieces, problem.offset);
}

/* The call as a line of a shell, which follows the form. */
function curlNode(line) {
    return element(
        "div",
        { class: "curl" },
        element("h4", {}, "The same from a shell"),
        copyButton(line),
        element("pre", { tabindex: "0", "aria-label": "curl line" }, line),
    );
}

function optionsNode(fields, boxes) {
    return element(
        "details",
        { class: "options" },
        element("summary", {}, "Options"),
        fields.map(fieldNode),
        boxes.map(({ node }) => node),
    );
}

function runNode(text) {
    return element(
        "div",
        { class: "run" },
        element("button", { type: "submit", "aria-keyshortcuts": "Control+Enter" }, text),
        element("kbd", {}, "Ctrl + Enter"),
    );
}

/* A form that runs by its button, or by Ctrl and Enter anywhere in it. */
function makeForm(run, attributes, ...children) {
    const submit = (event) => (event.preventDefault(), run());
    const keydown = (event) =>
        (event.ctrlKey || event.metaKey) && event.key === "Enter" && submit(event);
    return element("form", { novalidate: true, submit, keydown, ...attributes }, ...children);
}

/* The panel of an operation. `onHandle` makes what stands beside a handle, of the answer, and
 * `before` gives the fields of the forward whose backward it is. */
function makePanel(operation, onHandle, before) {
    const main = makeFields(operation);
    const options = operation.dtype ? [dtypeField(operation.dtype)] : [];
    const fields = [...main, ...options];
    const boxes = queryBoxes(operation);
    const answer = operationAnswer(operation, onHandle);
    const line = element("code");
    const target = () => {
        const query = boxes.filter(({ box }) => box.checked).map(({ box }) => box.value);
        return operation.path + (query.length ? `?${query.join("&")}` : "");
    };
    const showCurl = () => (line.textContent = curlLine(target(), bodyOf(objectPieces(fields))));
    const form = makeForm(
        () => runForm({ fields, target, answer }),
        { input: showCurl },
        main.map(fieldNode),
        optionsNode(options, boxes),
        runNode("Run"),
        curlNode(line),
    );
    showCurl();
    const node = panelNode(operation.path, operation.summary, form, answer);
    form.after(checkNode(operation, () => before() || options, main, answer));
    return { operation, fields, node, showCurl };
}

function panelNode(path, summary, form, answer) {
    const title = element("h3", {}, element("span", { class: "method" }, "POST"), ` ${path}`);
    return element(
        "section",
        { class: "operation", "aria-label": path, "data-path": path },
        element("div", { class: "ask" }, title, element("p", { class: "quiet" }, summary), form),
        answer.node,
    );
}

function copyButton(source) {
    const copy = button("Copy", async () => {
        const done = await copyText(source);
        copy.textContent = done ? "Copied" : "Selected";
        setTimeout(() => (copy.textContent = "Copy"), 1500);
    });
    return copy;
}

/* The clipboard is there in secure contexts alone; elsewhere the text is selected. */
async function copyText(source) {
    getSelection().selectAllChildren(source);
    try {
        await navigator.clipboard.writeText(source.textContent);
        return true;
    } catch {
        return document.execCommand("copy");
    }
}
