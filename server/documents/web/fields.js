/* The fields of an operation, from its row in the OpenAPI document (x-layerd). */

let ids = 0;

/* "N D..." as (N, *D) */
function patternText({ shape, labels, kind }) {
    if (shape === undefined) return "";
    const letters = shape
        .split(" ")
        .map((part) => (part.endsWith("...") && part !== "..." ? `*${part[0]}` : part));
    const text =
        shape === "..." ? "any shape" : shape === "" ? "scalar" : `(${letters.join(", ")})`;
    return labels ? `${text} integers` : kind === "mask" ? `${text} of 0 and 1` : text;
}

/* "; P = ⌊(H − R) / stride⌋ + 1" for lengths that follow from others */
function derivedText({ derived }) {
    return Object.entries(derived ?? {})
        .map(([letter, formula]) => `; ${letter} = ${formula}`)
        .join("");
}

/* A bound that is the largest integer that a double tells from its neighbours is none to a person. */
function rangeText({ minimum, maximum, open_minimum, open_maximum, fallback }) {
    const parts = [];
    if (minimum !== undefined) parts.push(`${open_minimum ? "above" : "from"} ${minimum}`);
    if (maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER)
        parts.push(`to ${open_maximum ? "below " : ""}${maximum}`);
    if (fallback !== undefined) parts.push(`default ${decimal(fallback)}`);
    return parts.join(" ").replace(" default", ", default");
}

/* One field: a label, what it takes, the control, and room for what is wrong with it. `text` is its
 * JSON, "" for none. */
function makeField(key, control, { hint = "", summary = "", text }) {
    const id = `field-${++ids}`;
    const fault = element("p", { class: "fault", id: `${id}-fault` });
    control.id = id;
    control.setAttribute("aria-describedby", fault.id);
    const node = element(
        "div",
        { class: "field" },
        element(
            "label",
            { for: id },
            element("b", {}, key),
            " ",
            element("span", { class: "hint" }, hint),
            " ",
            element("span", { class: "about" }, summary),
        ),
        control,
        fault,
    );
    return { key, node, control, text, fault };
}

/* A tensor's text, and beside it the tensor. */
function tensorField(row, example) {
    const control = element("textarea", {
        spellcheck: "false",
        autocapitalize: "off",
        autocomplete: "off",
    });
    const text = () => control.value.trim().replace(/\s*\n\s*/g, " ");
    const field = makeField(row.name, control, {
        hint: patternText(row),
        summary: row.summary + derivedText(row),
        text,
    });
    const picture = element("div", { class: "picture" });
    const draw = () => {
        const tensor = parseTensor(control.value);
        control.rows = Math.min(Math.max(control.value.split("\n").length, 1), 12);
        picture.replaceChildren(...[tensor && tensorPicture(row, tensor)].filter(Boolean));
    };
    control.addEventListener("input", draw);
    control.after(picture);
    field.node.classList.add("drawn");
    field.set = (value) => {
        control.value = value === undefined ? "" : tensorText(value);
        draw();
    };
    field.set(example);
    return field;
}

function textField(row, example, text) {
    const control = element("input", { type: "text", spellcheck: "false", autocomplete: "off" });
    const field = makeField(row.name, control, {
        hint: rangeText(row),
        summary: row.summary,
        text: () => text(control.value.trim()),
    });
    field.set = (value) =>
        (control.value = typeof value === "number" ? decimal(value) : (value ?? ""));
    field.set(example);
    return field;
}

/* The choice that is made without saying so, if there is one, is left out of the body. */
function choiceField(row, example) {
    const control = element(
        "select",
        {},
        row.choices.map((choice) => element("option", { value: choice }, choice || "–")),
    );
    control.value = example ?? row.choices[0];
    const text = () => (control.value === row.implied ? "" : JSON.stringify(control.value));
    return makeField(row.name, control, { summary: row.summary, text });
}

function paramField(row, example) {
    if (row.kind === "choice") return choiceField(row, example);
    if (row.kind === "tensor" || row.kind === "mask") return tensorField(row, example);
    return textField(row, example, (value) => value);
}

/* From its schema: backward has no default, but takes the cache's. */
function dtypeField({ choices, implied, summary }) {
    return choiceField({
        name: "dtype",
        choices: implied ? choices : ["", ...choices],
        implied: implied ?? "",
        summary,
    });
}

function cacheField(operation) {
    const row = { name: "cache", summary: `the handle that ${operation.layer}'s forward gave` };
    return textField(row, "", (value) => value && JSON.stringify(value));
}

/* The fields of an operation, filled with its example: [{key, text(), ...} or {key, fields}]. */
function makeFields(operation) {
    const { example } = operation;
    const fields = operation.inputs.map((row) => tensorField(row, example[row.name]));
    if (operation.cache === "taken") fields.push(cacheField(operation));
    if (operation.params_name)
        fields.push({
            key: operation.params_name,
            fields: operation.params.map((row) =>
                paramField(row, example[operation.params_name][row.name]),
            ),
        });
    return fields;
}

function fieldNode(field) {
    if (!field.fields) return field.node;
    return element("fieldset", {}, element("legend", {}, field.key), field.fields.map(fieldNode));
}

function allFields(fields) {
    return fields.flatMap((field) => (field.fields ? allFields(field.fields) : [field]));
}

/* Marks the one field at fault; none for null. */
function markFault(fields, faulty, sentence) {
    for (const field of allFields(fields)) {
        const bad = field === faulty;
        field.fault.textContent = bad ? sentence : "";
        if (bad) field.control.setAttribute("aria-invalid", "true");
        else field.control.removeAttribute("aria-invalid");
    }
    faulty?.control.closest("details")?.setAttribute("open", "");
    faulty?.control.focus();
}
