/* The page: the version, the operations by layer, and the way from forward to backward. */

function resolve(document, schema) {
    const path = schema?.$ref?.slice(2).split("/");
    return path ? path.reduce((node, key) => node[key], document) : schema;
}

function readDtype(document, schema) {
    const choices = resolve(document, schema)?.enum;
    return choices && { choices, implied: schema.default, summary: schema.description };
}

/* The operations as forms need them. */
function readOperations(document) {
    return Object.entries(document.paths)
        .filter(([, item]) => item.post?.["x-layerd"])
        .map(([path, { post }]) => {
            const content = post.requestBody.content["application/json"];
            return {
                ...post["x-layerd"],
                path,
                summary: post.summary,
                query: post.parameters,
                example: content.examples.nested.value,
                dtype: readDtype(document, resolve(document, content.schema).properties.dtype),
            };
        });
}

/* The button that takes a handle to the operation of its layer that needs one, with ones in the shape
 * of what came out as the gradient. */
function useHandle(giver, panels, json) {
    const taker = panels.find(
        ({ operation }) => operation.layer === giver.layer && operation.cache === "taken",
    );
    if (!taker) return "";
    return button(`Use in ${taker.operation.operation}`, () => {
        for (const field of taker.fields) {
            const input = taker.operation.inputs.find((row) => row.name === field.key);
            const output = input && giver.outputs.find((row) => row.shape === input.shape);
            if (output) field.set(nestedOnes(readTensor(json[output.name]).shape));
            if (field.key === "cache") field.set(json.cache);
        }
        markFault(taker.fields, null);
        taker.showCurl();
        taker.node.scrollIntoView({ block: "nearest" });
        taker.node.querySelector("button[type=submit]").focus();
    });
}

function makePanels(operations) {
    const panels = [];
    for (const operation of operations) {
        const before = () =>
            operation.cache === "taken" &&
            panels.find(({ operation: { layer } }) => layer === operation.layer).fields;
        panels.push(makePanel(operation, (json) => useHandle(operation, panels, json), before));
    }
    return panels;
}

/* One layer is shown at a time: that which the address named last, as in #affine, else the first. */
function showLayers(panels, navigation, forms) {
    const layers = [...new Set(panels.map(({ operation }) => operation.layer))];
    const links = layers.map((layer) => element("a", { href: `#${layer}` }, layer));
    const groups = layers.map((layer) =>
        element(
            "div",
            { class: "layer" },
            panels.filter(({ operation }) => operation.layer === layer).map(({ node }) => node),
        ),
    );
    let chosen = 0;
    const choose = () => {
        const named = layers.indexOf(location.hash.slice(1));
        if (named >= 0) chosen = named;
        layers.forEach((_, i) => {
            groups[i].hidden = i !== chosen;
            if (i === chosen) links[i].setAttribute("aria-current", "true");
            else links[i].removeAttribute("aria-current");
        });
    };
    addEventListener("hashchange", choose);
    navigation.replaceChildren(...links);
    forms.replaceChildren(...groups);
    choose();
}

async function get(path) {
    const response = await ask(path);
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.json();
}

async function start() {
    const find = (id) => document.getElementById(id);
    startLive(find("live"));
    let panels = [];
    const showCurls = () => panels.forEach((panel) => panel.showCurl());
    try {
        const [version, openapi] = await Promise.all([get("/version"), get("/openapi.json")]);
        find("version").textContent =
            `${version.version} · ${version.commit} · ${version.blas.split(" ", 2).join(" ")} · ${version.cpu}`;
        const operations = readOperations(openapi);
        if (openapi.components.securitySchemes) offerToken(find("token"), showCurls);
        panels = [...makePanels(operations), makeGraphPanel(operations)];
        showLayers(panels, find("layers"), find("forms"));
    } catch (error) {
        offerToken(find("token"), () => location.reload());
        find("forms").replaceChildren(
            element("p", { role: "alert" }, `The operations could not be read: ${error.message}.`),
        );
    }
}

start();
