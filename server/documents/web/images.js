/* Tensors as grayscale images: an image's rows and columns are the last two dimensions; images stand
 * side by side along the dimension before these, in a row for each of the first, so that the
 * channels of an example are one row. */

const MOST_IMAGE_ROWS = 8; /* more of them are not drawn */
const MOST_IMAGES_ACROSS = 16;
const MOST_PIXELS = 64; /* a side; images with more are not drawn at all */

/* {rows, columns, height, width} of images; null for a tensor that is none. Three dimensions are one
 * row of images, except where the pattern's first letter is the examples' own: then a column. */
function imageLayout(shape, pattern) {
    if (shape.length < 3 || shape.length > 4) return null;
    const [height, width] = shape.slice(-2);
    const smallest = Math.min(height, width);
    if (smallest < 2 || Math.max(height, width) > MOST_PIXELS) return null;
    const [first, second = 1] = shape.slice(0, -2);
    if (first * second === 0) return null;
    const across = shape.length === 3 && !/^[A-Z] /.test(pattern ?? "");
    return across
        ? { rows: 1, columns: first, height, width }
        : { rows: first, columns: second, height, width };
}

/* From black, the lowest, to white, the highest; what is no number is red. */
function paint(context, values, { low, high }, { height, width }) {
    const pixels = context.createImageData(width, height);
    values.forEach((value, i) => {
        const number = Number(value); /* infinities are texts */
        const share = high > low ? (number - low) / (high - low) : 0.5;
        const gray = Math.min(Math.max(share, 0), 1) * 255;
        pixels.data.set(Number.isNaN(number) ? [200, 40, 40, 255] : [gray, gray, gray, 255], 4 * i);
    });
    context.putImageData(pixels, 0, 0);
}

/* One image; pointed at, it tells the index and the value. `start` is where it begins in the data. */
function imageCanvas({ shape, data }, start, range, layout) {
    const { height, width } = layout;
    const scale = Math.max(Math.floor(64 / Math.max(height, width)), 1);
    const canvas = element("canvas", { height, width });
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
    paint(canvas.getContext("2d"), data.slice(start, start + height * width), range, layout);
    canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
        const at = (offset, length) => Math.min(Math.max(Math.floor(offset / scale), 0), length - 1);
        const position = start + at(offsetY, height) * width + at(offsetX, width);
        canvas.title = `[${indexOf(position, shape).join(", ")}] = ${data[position]}`;
    });
    return canvas;
}

function rangeOf(data) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of data)
        if (Number.isFinite(value)) {
            low = Math.min(low, value);
            high = Math.max(high, value);
        }
    return low <= high ? { low, high } : { low: 0, high: 0 };
}

/* What the images are, in words: for those who do not see them, and below them. */
function imageTexts(name, { rows, columns, height, width }, { low, high }, drawn) {
    const colours =
        low < high ? `${brief(low)} is black, ${brief(high)} white` : `all ${brief(low)}`;
    const some = drawn.rows < rows || drawn.columns < columns;
    const part = some ? ` · the first ${drawn.rows} × ${drawn.columns} of ${rows} × ${columns}` : "";
    return {
        label: `${name}: ${rows} × ${columns} images of ${height} × ${width}, ${colours}`,
        legend: `${colours}${part}`,
    };
}

/* A tensor as images; null where it is none, or these are too large. */
function tensorImages({ name, shape: pattern }, tensor) {
    const layout = imageLayout(tensor.shape, pattern);
    if (!layout) return null;
    const range = rangeOf(tensor.data);
    const drawn = {
        rows: Math.min(layout.rows, MOST_IMAGE_ROWS),
        columns: Math.min(layout.columns, MOST_IMAGES_ACROSS),
    };
    const size = layout.height * layout.width;
    const images = Array.from({ length: drawn.rows * drawn.columns }, (_, i) => {
        const row = Math.floor(i / drawn.columns);
        const start = (row * layout.columns + (i % drawn.columns)) * size;
        return imageCanvas(tensor, start, range, layout);
    });
    const { label, legend } = imageTexts(name, layout, range, drawn);
    const grid = element("div", { class: "images", role: "img", "aria-label": label }, images);
    grid.style.setProperty("--across", drawn.columns);
    return element("div", {}, grid, element("p", { class: "quiet legend" }, legend));
}

/* A tensor as images, else as a table; null where it is too large for either. */
function tensorPicture(row, tensor) {
    return tensorImages(row, tensor) ?? tensorTable(row.name, tensor);
}
