/* What a graph's document says, as its drawing needs it: a box an input and a node, in order, each
 * with the values that it uses and gives. What is not as it should be is left out, for it is the
 * daemon that says what is wrong. */

function entriesOf(value) {
    return value && typeof value === "object" ? Object.entries(value) : [];
}

function namesOf(value) {
    return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
}

/* {boxes, values}. `table` has the operations by name; `known` the shapes of values and of handles
 * that answers told. */
function readGraph(document, table, known) {
    const graph = { boxes: [], values: new Map() };
    const add = (box) => {
        box.uses = box.uses.map((use) => ({ ...use, value: graph.values.get(use.name), box }));
        for (const { value } of box.uses) if (value) value.used = true;
        for (const value of box.values) {
            value.box = box;
            value.shape = known.values.get(value.name) ?? value.shape;
            graph.values.set(value.name, value);
        }
        graph.boxes.push(box);
    };
    for (const [name, input] of entriesOf(document?.inputs)) add(inputBox(name, input, known));
    for (const [i, node] of entriesOf(document?.nodes))
        if (node) add(nodeBox(`/nodes/${i}`, node, table, graph.values));
    for (const list of ["give", "keep"])
        for (const name of namesOf(document?.[list]))
            if (graph.values.has(name)) graph.values.get(name)[list] = true;
    return graph;
}

function inputBox(name, input, known) {
    const op = input?.tensor ? "kept" : input?.cache ? "kept cache" : "input";
    const shape = input?.tensor ? known.handles.get(input.tensor) : readTensor(input)?.shape;
    const value = { name, label: "", shape };
    return {
        name,
        op,
        input: true,
        pointer: `/inputs/${pointerPart(name)}`,
        uses: [],
        values: [value],
    };
}

function nodeBox(pointer, node, table, values) {
    const text = (key) => (typeof node[key] === "string" ? node[key] : "?");
    const box = { name: text("name"), op: text("op"), pointer, uses: [], values: [] };
    const operation = table.get(box.op);
    if (box.op === "gradients") gradientsBox(box, node, values);
    else if (operation) operationBox(box, node, operation, values);
    else box.stranger = true;
    return box;
}

function gradientsBox(box, node, values) {
    const wanted = namesOf(node.for);
    box.uses = [
        ...namesOf(node.of).map((name) => ({ role: "of", name })),
        ...wanted.map((name) => ({ role: "for", name, wanted: true })),
    ];
    box.values = wanted.map((name) => ({
        name: `${box.name}.${name}`,
        label: name,
        shape: values.get(name)?.shape,
    }));
}

function operationBox(box, node, operation, values) {
    const { inputs, outputs, cache, params_name: group, params = [] } = operation;
    const given = node[group] ?? {};
    const lengths = new Map(cache === "taken" ? values.get(node.cache)?.lengths : []);
    for (const { name, kind, fallback } of params)
        if (kind === "integer") lengths.set(name, given[name] ?? fallback);
    const vectors = params.filter(({ shape }) => shape !== undefined);
    const taken = [
        ...inputs.map((row) => ({ role: row.name, name: node[row.name], row })),
        ...vectors.map((row) => ({ role: `${group}.${row.name}`, name: given[row.name], row })),
        ...(cache === "taken" ? [{ role: "cache", name: node.cache }] : []),
    ].filter(({ name }) => typeof name === "string");
    for (const { name, row } of taken) learnLengths(lengths, row?.shape, values.get(name)?.shape);
    const value = (label, more) => ({ name: `${box.name}.${label}`, label, ...more });
    box.uses = taken;
    box.values = [
        ...outputs.map((row) => value(row.name, { shape: shapeFrom(lengths, row) })),
        ...vectors
            .filter(({ kind }) => kind === "tensor")
            .map((row) =>
                value(`${group}.${row.name}`, { shape: shapeFrom(lengths, row), aside: true }),
            ),
        ...(cache === "given" ? [value("cache", { lengths, aside: true })] : []),
    ];
}

/* Of the pattern "N D..." and the shape (2, 3, 4): N is 2, D is 12, and "D..." 3, 4. */
function learnLengths(lengths, pattern, shape) {
    if (!pattern || !shape) return;
    pattern.split(" ").forEach((letter, i) => {
        const rest = shape.slice(i);
        if (!letter.endsWith("...")) return lengths.set(letter, rest[0]);
        lengths.set(letter, rest);
        lengths.set(
            letter.slice(0, -3),
            rest.reduce((product, length) => product * length, 1),
        );
    });
}

/* The shape of a row, undefined where a length is not known. */
function shapeFrom(lengths, { shape: pattern, derived }) {
    const shape = pattern
        .split(" ")
        .filter(Boolean)
        .flatMap((letter) => lengths.get(letter) ?? derivedLength(lengths, derived?.[letter]));
    return shape.every(Number.isInteger) ? shape : undefined;
}

/* Of "⌊(H + 2·pad − R) / stride⌋ + 1", the one form in which the table has them. */
function derivedLength(lengths, formula) {
    const found = /^⌊\((\w+)(?: \+ 2·(\w+))? − (\w+)\) \/ (\w+)⌋ \+ 1$/.exec(formula ?? "");
    if (!found) return undefined;
    const [whole, pad, window, stride] = found
        .slice(1)
        .map((name) => (name === undefined ? 0 : lengths.get(name)));
    return Math.floor((whole + 2 * pad - window) / stride) + 1;
}
