"""Client.graph: several operations in one call, beside the same in NumPy."""
import unittest

import numpy as np
import reference
from support import in_each_form, is_freed, json_answer, numbers, server, take_request

import layerd
from layerd import layers

STEP = [{"name": "a", "op": "affine/forward", "x": "x", "w": "w", "b": "b"},
        {"name": "r", "op": "relu/forward", "x": "a.out"},
        {"name": "s", "op": "affine/forward", "x": "r.out", "w": "v", "b": "c"},
        {"name": "l", "op": "softmax/loss", "x": "s.out", "y": "y"},
        {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["w", "b", "v", "c", "r.out"]},
        {"name": "u", "op": "adam/update", "w": "w", "dw": "d.w", "config": {"learning_rate": 0.5}}]


def inputs(dtype=np.float64):
    return {"x": numbers(4, 3, dtype=dtype), "w": numbers(3, 5, seed=1, dtype=dtype),
            "b": numbers(5, seed=2, dtype=dtype), "v": numbers(5, 2, seed=3, dtype=dtype),
            "c": numbers(2, seed=4, dtype=dtype), "y": np.array([0, 1, 1, 0])}


def by_numpy(x, w, b, v, c, y):
    """The results of STEP, by name."""
    hidden, first = reference.affine_forward(x, w, b)
    out, rectified = reference.relu_forward(hidden)
    scores, second = reference.affine_forward(out, v, c)
    loss, dscores = reference.softmax_loss(scores, y)
    dout, dv, dc = reference.affine_backward(dscores, second)
    _, dw, db = reference.affine_backward(reference.relu_backward(dout, rectified), first)
    m, square = dw * (1 - 0.9), dw**2 * (1 - 0.999)
    next_w = w - 0.5 * (m / (1 - 0.9)) / (np.sqrt(square / (1 - 0.999)) + 1e-8)
    return {"l.loss": loss, "s.out": scores, "d.w": dw, "d.b": db, "d.v": dv, "d.c": dc,
            "d.r.out": dout, "u.next_w": next_w, "u.config.m": m, "u.config.v": square}


@in_each_form
class Graphs(unittest.TestCase):
    def refused(self, *arguments, **keywords):
        with self.assertRaises(layerd.Error) as raised:
            self.client.graph(*arguments, **keywords)
        return raised.exception

    def test_a_training_step(self):
        for dtype, tolerance in (np.float64, (1e-12, 1e-14)), (np.float32, (1e-4, 1e-6)):
            want = by_numpy(**inputs(dtype))
            results, kept = self.client.graph(STEP, inputs(dtype), give=list(want))
            self.assertEqual((results.keys(), kept), (want.keys(), {}))
            for name, value in want.items():
                self.assertEqual((results[name].shape, results[name].dtype),
                                 (np.shape(value), dtype), name)
                np.testing.assert_allclose(results[name], value, *tolerance, err_msg=name)

    def test_the_bytes_are_those_of_single_calls(self):
        results, _ = self.client.graph(STEP, inputs(), give=["a.out", "l.loss", "d.c"])
        given = inputs()
        out, _ = layers.affine_forward(given["x"], given["w"], given["b"])
        scores, cache = layers.affine_forward(layers.relu_forward(out)[0], given["v"], given["c"])
        loss, dscores = layers.softmax_loss(scores, given["y"])
        self.assertEqual(results["l.loss"], loss)
        np.testing.assert_array_equal(results["a.out"], out)
        np.testing.assert_array_equal(results["d.c"], layers.affine_backward(dscores, cache)[2])

    def test_what_is_kept_goes_into_the_next(self):
        results, kept = self.client.graph(STEP, inputs(), give=["u.next_w"],
                                          keep=["u.next_w", "u.config.m", "b"])
        self.assertEqual(kept.keys(), {"u.next_w", "u.config.m", "b"})
        names = dict(zip("wmb", kept.values()))
        again, _ = self.client.graph([], names, give=["w", "m", "b"])
        np.testing.assert_array_equal(again["w"], results["u.next_w"])
        np.testing.assert_array_equal(again["b"], inputs()["b"])
        want = by_numpy(**{**inputs(), "w": results["u.next_w"]})
        moved, _ = self.client.graph(STEP, {**inputs(), "w": kept["u.next_w"], "b": kept["b"]},
                                     give=["l.loss", "d.w"])
        np.testing.assert_allclose(moved["l.loss"], want["l.loss"], 1e-12)
        np.testing.assert_allclose(moved["d.w"], want["d.w"], 1e-12, 1e-14)

    def test_kinds_of_results(self):
        nodes = [*STEP, {"name": "o", "op": "dropout/forward", "x": "x",
                         "dropout_param": {"p": 0.5, "mode": "train", "seed": 7}}]
        results, _ = self.client.graph(
            nodes, inputs(), give=["u.config.t", "u.config.learning_rate", "o.dropout_param.seed",
                                   "o.dropout_param.mode", "y"])
        labels = results.pop("y")
        self.assertEqual(results, {"u.config.t": 1, "u.config.learning_rate": 0.5,
                                   "o.dropout_param.seed": 7, "o.dropout_param.mode": "train"})
        self.assertEqual({type(value) for value in results.values()}, {int, float, str})
        self.assertEqual((labels.dtype, labels.tolist()), (np.int64, [0, 1, 1, 0]))

    def test_running_statistics_by_name(self):
        x = numbers(6, 2)
        mean, var = numbers(2, seed=5), np.abs(numbers(2, seed=6))
        param = {"mode": "train", "momentum": 0.75, "running_mean": mean, "running_var": var}
        node = {"name": "n", "op": "batchnorm/forward", "x": "x", "gamma": "g", "beta": "h",
                "bn_param": {**param, "running_mean": "mean", "running_var": "var"}}
        results, kept = self.client.graph(
            [node], {"x": x, "g": numbers(2, seed=7), "h": numbers(2), "mean": mean, "var": var},
            give=["n.out", "n.bn_param.running_var"], keep=["n.bn_param.running_mean"])
        out, _ = reference.batchnorm_forward(x, numbers(2, seed=7), numbers(2), param)
        np.testing.assert_allclose(results["n.out"], out, 1e-12, 1e-14)
        np.testing.assert_allclose(results["n.bn_param.running_var"], param["running_var"], 1e-12)
        np.testing.assert_allclose(self.client.fetch(kept["n.bn_param.running_mean"]),
                                   param["running_mean"], 1e-12)

    def test_gradients_of_what_is_used_twice_and_not_at_all(self):
        x, w, b = numbers(3, 2), numbers(2, 2, seed=1), numbers(2, seed=2)
        nodes = [{"name": "a", "op": "affine/forward", "x": "x", "w": "w", "b": "b"},
                 {"name": "e", "op": "affine/forward", "x": "a.out", "w": "w", "b": "b"},
                 {"name": "k", "op": "svm/loss", "x": "e.out", "y": "y"},
                 {"name": "d", "op": "gradients", "of": ["k.loss"], "for": ["w", "z"]}]
        results, _ = self.client.graph(nodes, {"x": x, "w": w, "b": b, "y": [1, 0, 1],
                                               "z": numbers(2, 3)}, give=["d.w", "d.z"])
        first, inner = reference.affine_forward(x, w, b)
        second, outer = reference.affine_forward(first, w, b)
        dfirst, dw, _ = reference.affine_backward(reference.svm_loss(second, [1, 0, 1])[1], outer)
        dw += reference.affine_backward(dfirst, inner)[1]
        np.testing.assert_allclose(results["d.w"], dw, 1e-12, 1e-14)
        np.testing.assert_array_equal(results["d.z"], np.zeros((2, 3)))

    def test_caches(self):
        given, dout = inputs(np.float32), numbers(4, 5, seed=8)
        _, kept = self.client.graph(STEP[:1], given, keep=["a.cache"])
        cache = kept["a.cache"]
        self.assertIsInstance(cache, layerd.Cache)
        want = reference.affine_backward(dout.astype(np.float32), (given["x"], given["w"]))
        back = {"name": "g", "op": "affine/backward", "dout": "dout", "cache": "c"}
        results, again = self.client.graph([back], {"dout": dout, "c": cache}, give=["g.dw"],
                                           keep=["c"])
        self.assertEqual(results["g.dw"].dtype, np.float32)
        for got in (results["g.dw"], layers.affine_backward(dout, cache)[1],
                    self.client.call("affine/backward", dout=dout, cache=again["c"])["dw"]):
            np.testing.assert_allclose(got, want[1], 1e-5, 1e-6)

    def test_a_value_of_the_name_cache(self):
        nodes = [{"name": "l", "op": "softmax/loss", "x": "cache", "y": "y"},
                 {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["cache"]}]
        x, y = numbers(3, 4), [2, 0, 3]
        _, kept = self.client.graph(nodes, {"cache": x, "y": y}, keep=["d.cache"])
        np.testing.assert_allclose(self.client.fetch(kept["d.cache"]),
                                   reference.softmax_loss(x, y)[1], 1e-12, 1e-14)

    def test_masks(self):
        mask = np.array([[True, False, True], [False, True, True]])
        nodes = [{"name": "o", "op": "dropout/forward", "x": "x",
                  "dropout_param": {"p": np.float32(0.5), "mode": "train", "mask": "m"}}]
        for dtype in np.float64, np.float32:
            x = numbers(2, 3, dtype=dtype)
            for sent in mask, mask.astype(dtype), self.client.put(mask, dtype):
                results, _ = self.client.graph(nodes, {"x": x, "m": sent}, give=["o.out"])
                self.assertEqual(results["o.out"].dtype, dtype)
                np.testing.assert_array_equal(results["o.out"], x * mask * 2)

    def test_what_is_named_twice(self):
        given = {"x": [1.5], "y": np.uint8([3])}
        results, kept = self.client.graph([], given, give=["x", "x"], keep=["y", "y"])
        self.assertEqual((results["x"].tolist(), kept["y"].dtype), ([1.5], np.int64))
        self.assertEqual(self.client.fetch(kept["y"]).tolist(), [3])

    def test_the_dtype(self):
        narrow = self.client.put(numbers(3, 5, seed=1, dtype=np.float32))
        results, kept = self.client.graph(STEP[:1], {**inputs(), "w": narrow}, give=["a.out"],
                                          keep=["a.out"])
        self.assertEqual((results["a.out"].dtype, kept["a.out"].dtype), (np.float32, np.float32))
        results, _ = self.client.graph(STEP[:1], inputs(), give=["a.out"], dtype="float32")
        self.assertEqual(results["a.out"].dtype, np.float32)
        error = self.refused(STEP[:1], {**inputs(), "w": narrow}, dtype=np.float64)
        self.assertEqual((error.status, error.code), (422, "wrong_type"))
        with self.assertRaises(ValueError):
            self.client.graph(STEP[:1], inputs(), dtype=np.int64)

    def test_release(self):
        w, b, x = (self.client.put(inputs()[name]) for name in "wbx")
        _, kept = self.client.graph(STEP[:1], {"x": x, "w": w, "b": b}, keep=["a.out", "a.cache"],
                                    release=[w, b.handle])
        self.assertEqual([is_freed(tensor.handle) for tensor in (w, b, x)], [True, True, False])
        self.client.graph([], release=[kept["a.cache"], x, x])
        self.assertTrue(is_freed(kept["a.cache"].handle) and is_freed(x.handle))
        self.assertFalse(is_freed(kept["a.out"].handle))

    def test_a_graph_that_fails_does_nothing(self):
        w = self.client.put(inputs()["w"])
        error = self.refused(STEP, {**inputs(), "w": w, "y": [0, 1, 2, 0]}, keep=["u.next_w"],
                             release=[w])
        self.assertEqual((error.code, error.pointer[:9]), ("label_out_of_range", "/inputs/y"))
        error = self.refused([], {"w": w}, keep=["w"], release=["no-such-handle", w])
        self.assertEqual((error.status, error.code, error.pointer),
                         (404, "unknown_cache", "/release/0"))
        np.testing.assert_array_equal(self.client.fetch(w), inputs()["w"])

    def test_errors_point_at_what_is_wrong(self):
        error = self.refused(STEP, {**inputs(), "v": numbers(4, 2)})
        self.assertIsInstance(error, layerd.InvalidRequest)
        self.assertEqual((error.status, error.code), (422, "shape_mismatch"))
        self.assertTrue(error.pointer.startswith("/nodes/2/"), error.pointer)
        error = self.refused([{**STEP[0], "w": "ww"}], inputs())
        self.assertEqual((error.code, error.pointer), ("invalid_graph", "/nodes/0/w"))
        error = self.refused(STEP[:1], {**inputs(), "w": layerd.Tensor("gone")})
        self.assertEqual((error.status, error.pointer), (404, "/inputs/w/tensor"))

    def test_arrays_go_among_the_inputs(self):
        for held in np.zeros(2), self.client.put([1.0]):
            with self.assertRaises(TypeError):
                self.client.graph([{**STEP[0], "w": held}], inputs())
        with self.assertRaises(TypeError):
            self.client.graph(STEP[:1], {**inputs(), "w": "a handle of what?"})


class Repetition(unittest.TestCase):
    """On a kept connection that ends without an answer."""

    def serve(self):
        def once(connection):
            take_request(connection)
            connection.sendall(json_answer('{"results":{},"kept":{}}'))
            take_request(connection)

        def other(connection):
            take_request(connection)
            connection.sendall(json_answer(
                '{"results":{"x":{"shape":[1],"data":[2.0]}},"kept":{}}'))
        return server(once, other)

    def test_a_graph_is_repeated(self):
        with self.serve() as url, layerd.Client(url, form="json") as client:
            client.graph([])
            self.assertEqual(client.graph([], {"x": [2.0]}, give=["x"])[0]["x"].tolist(), [2.0])

    def test_one_that_releases_is_not(self):
        with self.serve() as url, layerd.Client(url, form="json") as client:
            client.graph([])
            with self.assertRaises(layerd.ConnectionFailed):
                client.graph([], {"x": [2.0]}, give=["x"], release=["h"])


if __name__ == "__main__":
    unittest.main()
