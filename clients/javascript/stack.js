// The layers of a network: what each makes of the shape of an example, and what it has.
import { badInput, isObject, product } from "./tensor.js";

const isLength = (value) => Number.isSafeInteger(value) && value >= 1;

function need(fits, what) {
    if (!fits) throw badInput(what);
}

const needImages = (shape) => need(shape.length === 3, "it takes images (C, H, W)");
const needVectors = (shape) => need(shape.length === 1, "it takes vectors");
const needLength = (value, name) =>
    need(isLength(value), `${name} is ${value}, but must be an integer from 1 on`);

function sidesOf(size) {
    const sides = Array.isArray(size) ? size : [size, size];
    need(
        sides.length === 2 && sides.every(isLength),
        `size is ${size}, but must be a length, or a height and a width`,
    );
    return sides;
}

// How many windows there are one below the other, and side by side.
function windows([, ...lengths], sides, stride, pad) {
    const counts = lengths.map(
        (length, i) => Math.floor((length + 2 * pad - sides[i]) / stride) + 1,
    );
    need(
        counts.every(isLength),
        `no window of ${sides.join(" x ")} fits, ${stride} apart, with ${pad} zeros around`,
    );
    return counts;
}

const scales = (features) => ({ gamma: [features], beta: [features] });

const moving = (shape, values) => ({
    out: shape,
    weights: scales(shape[0]),
    running: { running_mean: [shape[0]], running_var: [shape[0]] },
    params: "bn_param",
    values,
    hasMode: true,
});

const KINDS = {
    affine: (shape, [outputs]) => {
        needLength(outputs, "outputs");
        return { out: [outputs], weights: { w: [product(shape), outputs], b: [outputs] } };
    },
    relu: (shape) => ({ out: shape }),
    conv: (shape, [filters, size], { stride = 1, pad = 0, ...others }) => {
        needImages(shape);
        needLength(filters, "filters");
        const sides = sidesOf(size);
        return {
            out: [filters, ...windows(shape, sides, stride, pad)],
            weights: { w: [filters, shape[0], ...sides], b: [filters] },
            params: "conv_param",
            values: { stride, pad, ...others },
        };
    },
    max_pool: (shape, [size], { stride, ...others }) => {
        needImages(shape);
        const [pool_height, pool_width] = sidesOf(size);
        const values = { pool_height, pool_width, stride: stride ?? pool_height, ...others };
        const counts = windows(shape, [pool_height, pool_width], values.stride, 0);
        return { out: [shape[0], ...counts], params: "pool_param", values };
    },
    batchnorm: (shape, _, values) => {
        needVectors(shape);
        return moving(shape, values);
    },
    spatial_batchnorm: (shape, _, values) => {
        needImages(shape);
        return moving(shape, values);
    },
    layernorm: (shape, _, values) => {
        needVectors(shape);
        return { out: shape, weights: scales(shape[0]), params: "ln_param", values };
    },
    spatial_groupnorm: (shape, [groups], values) => {
        needImages(shape);
        return {
            out: shape,
            weights: scales(shape[0]),
            params: "gn_param",
            values: { groups, ...values },
        };
    },
    dropout: (shape, [p], values) => ({
        out: shape,
        params: "dropout_param",
        values: { p, ...values },
        hasMode: true,
    }),
};

// How many arguments a layer takes beside its parameters.
const COUNTS = { affine: 1, conv: 2, max_pool: 1, spatial_groupnorm: 1, dropout: 1 };

function buildLayer(spec, shape, index) {
    const [name, ...rest] = Array.isArray(spec) ? spec : [spec];
    const values = isObject(rest.at(-1)) ? rest.pop() : {};
    if (!Object.hasOwn(KINDS, name))
        throw badInput(
            `layer ${index} is ${name}, but must be one of ${Object.keys(KINDS).join(", ")}`,
        );
    try {
        const count = COUNTS[name] ?? 0;
        need(rest.length === count, `it takes ${count} arguments, and not ${rest.length}`);
        const layer = KINDS[name](shape, rest, values);
        return { weights: {}, running: {}, ...layer, name, index };
    } catch (error) {
        throw badInput(`layer ${index}, ${name}, on examples of (${shape}): ${error.message}`);
    }
}

/** The layers of a list, one after the other on examples of a shape. */
export function buildLayers(specs, shape) {
    need(
        shape.length > 0 && shape.every(isLength),
        `input is (${shape}), but must be the shape of one example`,
    );
    return specs.map((spec, index) => {
        const layer = buildLayer(spec, shape, index);
        shape = layer.out;
        return layer;
    });
}
