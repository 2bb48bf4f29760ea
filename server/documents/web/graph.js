/* The form for graphs: the document as text, drawn as it is edited, and run again and again. */

const GRAPH = "/graph";
const REPEATS = 50;

function exampleGraph() {
    return document.getElementById("graph-example").content.textContent.trim();
}

function graphField(onEdit) {
    const control = element("textarea", {
        rows: "24",
        spellcheck: "false",
        autocapitalize: "off",
        autocomplete: "off",
        input: onEdit,
    });
    const field = makeField("graph", control, {
        hint: "JSON",
        summary: "inputs, nodes in their order, what to give and what to keep",
        text: () => control.value,
    });
    field.set = (text) => ((control.value = text), onEdit());
    return field;
}

/* The part of the text that a problem is about. */
function problemPlace(text, { pointer, offset }) {
    if (offset !== undefined) {
        const before = new TextEncoder().encode(text).slice(0, offset);
        const start = new TextDecoder().decode(before).length;
        return [start, start + 1];
    }
    return pointer === undefined ? [0, 0] : placeAt(readPlaces(text).places, pointer);
}

/* Selects a part of the text, and scrolls to it, which no browser does by itself. */
function selectPlace(control, [start, end]) {
    const copy = control.cloneNode();
    copy.rows = 1;
    copy.value = control.value.slice(0, start);
    control.after(copy);
    control.scrollTop = copy.scrollHeight - control.clientHeight / 2;
    copy.remove();
    control.setSelectionRange(start, end);
}

/* Marks it there, and in the drawing; nothing for null. */
function markProblem(field, view, problem) {
    markFault([field], problem && field, problem?.detail);
    if (problem) selectPlace(field.control, problemPlace(field.text(), problem));
    view.mark(problem?.pointer ?? "");
}

/* What answers told of shapes: of values, as long as the text stays, and of handles for good. */
function learnShapes(known, graph, { results, kept }) {
    for (const [name, value] of Object.entries(results)) {
        const tensor = readTensor(value);
        if (tensor) known.values.set(name, tensor.shape);
    }
    for (const [name, handle] of Object.entries(kept))
        known.handles.set(handle, known.values.get(name) ?? graph.values.get(name)?.shape);
}

/* Runs one call after another; whoever presses anything meanwhile ends that. */
function makeRunner(once, again) {
    let left = 0;
    return async (times) => {
        if (left > 0) return void (left = 1);
        left = times;
        if (times > 1) again.textContent = "Stop";
        while (left > 0) left = (await once()) ? left - 1 : 0;
        again.textContent = `Run ${REPEATS} times`;
    };
}

function graphForm({ field, goOn, line, once }) {
    const again = button(`Run ${REPEATS} times`, () => run(REPEATS));
    const run = makeRunner(once, again);
    const buttons = runNode("Run");
    buttons.append(
        again,
        button("Example", () => field.set(exampleGraph())),
    );
    return makeForm(
        () => run(1),
        {},
        field.node,
        element(
            "label",
            { class: "option" },
            goOn,
            " Go on from what was kept: handles take the place of the inputs",
        ),
        buttons,
        curlNode(line),
    );
}

/* The panel; `operations` as the other forms have them. */
function makeGraphPanel(operations) {
    const table = new Map(operations.map((row) => [row.path.slice(1), row]));
    const known = { values: new Map(), handles: new Map() };
    const series = new Map();
    const view = makeGraphView();
    const goOn = element("input", { type: "checkbox", checked: true });
    const line = element("code");
    let graph = null;
    const follow = () => {
        line.textContent = curlLine(GRAPH, field.text());
        try {
            graph = readGraph(readPlaces(field.text()).value, table, known);
        } catch ({ message, offset = 0 }) {
            field.fault.textContent = `${capital(lineText(field.text(), offset))}: ${message}.`;
            return view.stale(true);
        }
        view.show(graph);
        view.stale(false);
    };
    const field = graphField(() => {
        known.values.clear();
        series.clear();
        markProblem(field, view, null);
        follow();
    });
    const answer = makeAnswer({
        spoken: ({ results }) => spokenShapes(Object.entries(results)),
        nodes: ({ json, text }) => graphResult(json, text, series),
    });
    const once = async () => {
        const text = field.text();
        const said = await answer.show(GRAPH, text);
        if (field.text() !== text) return false;
        if (said?.good) {
            learnShapes(known, graph, said.json);
            if (goOn.checked) field.control.value = nextStep(text, said.json);
            follow();
        }
        markProblem(field, view, said?.good === false ? said.json : null);
        return said?.good;
    };
    field.set(exampleGraph());
    const form = graphForm({ field, goOn, line, once });
    const node = panelNode(
        GRAPH,
        "Several operations in one call; what is kept stays.",
        form,
        answer,
    );
    node.classList.add("graph");
    node.append(view.node);
    return { operation: { layer: "graph" }, node };
}
