/* Checks: what is claimed of an operation's outputs, and what is found of it. */

/* The form in which outputs are claimed, of what stands in the operation's fields (`main`) and in
 * those that go `before` them. */
function checkNode({ path, outputs, cache, params = [], params_name }, before, main, answer) {
    const claimed = (rows) => rows.map((row) => tensorField(row));
    const back = params.filter(({ kind }) => kind === "tensor");
    const fields = claimed(outputs);
    if (back.length) fields.push({ key: params_name, fields: claimed(back) });
    const asked = main.filter(({ key }) => cache !== "taken" || key !== "cache");
    const run = () =>
        runForm({
            fields: [...before(), ...asked, { key: "claim", fields }],
            target: () => `/check${path}`,
            answer,
        });
    const about = `What you computed of ${cache === "taken" ? "forward's fields and these" : "these fields"}:`;
    return element(
        "details",
        {},
        element("summary", {}, "Check my answer"),
        makeForm(
            run,
            {},
            element("p", { class: "quiet" }, about),
            fields.map(fieldNode),
            runNode("Check"),
        ),
    );
}

/* Of each claim, those of parameters too, a sentence. */
function findings({ json, text }) {
    const sentences = (claim) =>
        Object.entries(claim).map(([name, { verdict, says, ...inner }]) =>
            verdict
                ? element(
                      "p",
                      {},
                      element("b", { class: verdict === "right" ? "good" : "bad" }, name),
                      ` is ${verdict}${says ? `: ${says}` : ""}.`,
                  )
                : sentences(inner),
        );
    return [...sentences(json.claim).flat(), asText(text)];
}
