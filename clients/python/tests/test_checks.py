"""Checks and challenges: claims of every kind are said, and what is found is told."""
import unittest

import numpy as np

import layerd
from layerd import layers

from support import in_each_form, numbers

X, W, B = numbers(3, 4, seed=1), numbers(4, 2, seed=2), numbers(2, seed=3)


@in_each_form
class Checks(unittest.TestCase):
    def affine(self, out, **more):
        return self.client.check("affine/forward", x=X, w=W, b=B, claim={"out": out}, **more)

    def test_right_and_wrong(self):
        verdict = self.affine(X @ W + B)
        self.assertTrue(verdict)
        self.assertEqual((verdict.verdict, str(verdict)), ("right", "right"))
        self.assertEqual(verdict.claim, {"out": {"verdict": "right"}})
        verdict = self.affine(X @ W)
        self.assertFalse(verdict)
        self.assertEqual(verdict.claim["out"]["fault"], "bias_missing")
        self.assertEqual(str(verdict), "out is wrong: " + verdict.claim["out"]["says"])

    def test_inputs_that_cannot_tell(self):
        verdict = self.client.check("affine/forward", x=X, w=W, b=0 * B, claim={"out": X @ W})
        self.assertEqual(verdict.verdict, "undecided")
        self.assertFalse(verdict)
        self.assertIn("out is undecided: ", str(verdict))

    def test_claims_of_any_shape(self):
        out = X @ W + B
        for claim in (out[0], out[0, 0], out.T[::-1], [], np.zeros((0, 2)), 1, out[None],
                      out.astype(int), out > 0):
            self.assertEqual(self.affine(claim).verdict, "wrong", claim)
        self.assertEqual(self.affine(out.T).claim["out"]["fault"], "shape")
        self.assertTrue(self.affine(np.asfortranarray(out)))
        self.assertTrue(self.affine(out.tolist()))
        self.assertEqual(self.affine(out * np.nan).claim["out"]["fault"], "not_finite")
        y = np.array([0, 1, 1])
        for loss in (np.ones(1), np.ones(3), np.inf):
            verdict = self.client.check("svm/loss", x=X, y=y, claim={"loss": loss})
            self.assertEqual(verdict.verdict, "wrong", loss)
        loss, dx = layers.svm_loss(X, y)
        verdict = self.client.check("svm/loss", x=X, y=y, claim={"loss": loss, "dx": dx})
        self.assertTrue(verdict, verdict)

    def test_what_no_claim_can_be(self):
        for claim, error in (({"out": "text"}, layerd.InvalidRequest), ({}, layerd.InvalidRequest),
                             ({"dx": X}, layerd.InvalidRequest),
                             ({"out": [[1], [2, 3]]}, ValueError), ({"out": [1j]}, TypeError)):
            with self.assertRaises(error):
                self.client.check("affine/forward", x=X, w=W, b=B, claim=claim)

    def test_backwards_take_what_forward_took(self):
        dout = numbers(3, 2, seed=4)
        claim = {"dx": dout @ W.T, "dw": X.T @ dout, "db": dout.sum(0)}
        self.assertTrue(self.client.check("affine/backward", x=X, w=W, b=B, dout=dout, claim=claim))
        claim["db"] = dout.mean(0)
        verdict = self.client.check("affine/backward", x=X, w=W, b=B, dout=dout, claim=claim)
        self.assertEqual(verdict.claim["db"]["fault"], "mean_not_sum")
        self.assertEqual(verdict.claim["dx"], {"verdict": "right"})

    def test_precision_and_tolerance(self):
        near = np.float64((X @ W + B).astype(np.float32))
        self.assertEqual(self.affine(near).claim["out"]["fault"], "float32_values")
        self.assertTrue(self.affine(near, precision=np.float32))
        self.assertTrue(self.affine(near, tolerance={"rtol": 1e-6, "atol": 1e-6}))
        x, w, b = (array.astype(np.float32) for array in (X, W, B))
        self.assertTrue(self.client.check("affine/forward", x=x, w=w, b=b,
                                          claim={"out": x @ w + b}))

    def test_details(self):
        out = X @ W + B
        out[1, 1] += 1
        self.assertEqual(self.affine(out, detail="verdict").claim, {"out": {"verdict": "wrong"}})
        found = self.affine(out, detail="values").claim["out"]
        self.assertEqual(found["at"], [1, 1])
        self.assertEqual(found["claimed"], out[1, 1])
        self.assertAlmostEqual(found["error"], 1)

    def test_parameters_that_come_back(self):
        w, dw = numbers(3, seed=5), numbers(3, seed=6)
        answer = self.client.call("adam/update", w=w, dw=dw, config={"t": 3})
        config = answer["config"]
        claim = {"next_w": answer["next_w"], "config": {name: config[name] for name in "mvt"}}
        verdict = self.client.check("adam/update", w=w, dw=dw, config={"t": 3}, claim=claim)
        self.assertTrue(verdict, verdict)
        claim["config"]["t"] = 3
        verdict = self.client.check("adam/update", w=w, dw=dw, config={"t": 3}, claim=claim)
        self.assertEqual(str(verdict), "config.t is wrong")

    def test_kept_tensors_are_inputs(self):
        w = self.client.put(W)
        self.assertTrue(self.client.check("affine/forward", x=X, w=w, b=B,
                                          claim={"out": X @ W + B}))


class Challenges(unittest.TestCase):
    def setUp(self):
        self.client = layerd.Client()
        self.addCleanup(self.client.close)
        layers.set_client(self.client)

    def test_an_answer_is_judged(self):
        challenge = self.client.challenge("affine/forward")
        self.assertEqual(challenge.operation, "affine/forward")
        self.assertEqual(challenge.claims, ["out"])
        x, w, b = (challenge.inputs[name] for name in "xwb")
        self.assertEqual(x.dtype, np.float64)
        self.assertTrue(self.client.answer(challenge, {"out": x @ w + b}))
        self.assertTrue(self.client.answer(challenge.challenge, {"out": x @ w + b}))
        with self.assertRaises(layerd.Error) as raised:
            self.client.answer(challenge, {"out": x @ w})
        self.assertEqual(raised.exception.code, "challenge_spent")

    def test_a_submission_has_its_inputs_for_ever(self):
        one, same, other = (self.client.challenge("affine/forward", submission=text).inputs["x"]
                            for text in (b"a", b"a", b"b"))
        self.assertEqual(one.tolist(), same.tolist())
        self.assertNotEqual(one.tolist(), other.tolist())
        digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # of b"a"
        by_digest = self.client.challenge("affine/forward", submission=digest)
        self.assertEqual(by_digest.inputs["x"].tolist(), one.tolist())
        wrong = self.client.answer(by_digest, {"out": np.zeros(1)}, detail="verdict")
        self.assertEqual(wrong.claim, {"out": {"verdict": "wrong"}})

    def test_cases_and_dtypes(self):
        challenge = self.client.challenge("affine/forward", case="images", dtype=np.float32)
        self.assertEqual(challenge.inputs["x"].dtype, np.float32)
        self.assertGreater(challenge.inputs["x"].ndim, 2)
        with self.assertRaisesRegex(layerd.InvalidRequest, "/case"):
            self.client.challenge("affine/forward", case="none")

    def test_labels_and_parameters(self):
        challenge = self.client.challenge("svm/loss")
        loss, dx = layers.svm_loss(**challenge.inputs)
        self.assertTrue(self.client.answer(challenge, {"loss": loss, "dx": dx}))
        challenge = self.client.challenge("adam/update")
        answer = self.client.call("adam/update", **challenge.inputs)
        claim = {"next_w": answer["next_w"],
                 "config": {name: answer["config"][name] for name in "mvt"}}
        self.assertTrue(self.client.answer(challenge, claim))
        with self.assertRaisesRegex(layerd.InvalidRequest, "/claim/config/t"):
            del claim["config"]["t"]
            self.client.answer(self.client.challenge("adam/update"), claim)

    def test_those_of_the_drop_in(self):
        challenge = layerd.challenge("relu/forward", submission=b"a")
        self.assertTrue(layerd.answer(challenge, {"out": np.maximum(challenge.inputs["x"], 0)}))
        verdict = layerd.check("relu/forward", x=X, claim={"out": np.abs(X)}, detail="verdict")
        self.assertEqual(verdict.verdict, "wrong")
