"""The same layer from Python: FastAPI and NumPy, as FastAPI's manual writes it, and as one would
write it where speed counts."""
from typing import List

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import tensor_file

app = FastAPI()


class Affine(BaseModel):
    x: List[List[float]]
    w: List[List[float]]
    b: List[float]


def affine(x, w, b):
    return x.reshape(x.shape[0], -1).dot(w) + b


@app.post("/affine/forward")
async def affine_forward(body: Affine):
    """The usual: a model that the body is held to, a dict that is encoded"""
    out = affine(np.array(body.x), np.array(body.w), np.array(body.b))
    return {"out": out.tolist()}


@app.post("/bare/affine/forward")
async def affine_bare(request: Request):
    """The fastest: no model to validate against, no encoder to look for what JSON cannot say"""
    body = await request.json()
    out = affine(*(np.array(body[name], dtype=np.float64) for name in ("x", "w", "b")))
    return JSONResponse({"out": out.tolist()})


@app.post("/bytes/affine/forward")
async def affine_bytes(request: Request):
    tensors = tensor_file.unpacked(await request.body())
    out = affine(tensors["x"], tensors["w"], tensors["b"])
    return Response(tensor_file.packed({"out": out}), media_type=tensor_file.TYPE)
