"""ONNX's own checker, with shape inference, of the files named on standard input, one a line; prints JSON: for each file what is wrong, or null."""

import json
import sys

import onnx


def problem(path):
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:  # the checker raises several unrelated classes
        return str(error)
    return None


print(json.dumps({path: problem(path) for path in sys.stdin.read().split("\n")}))
