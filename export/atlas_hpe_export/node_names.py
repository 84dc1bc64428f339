"""From the names in an ONNX file to PyTorch modules, without the onnx package.

Names that this toolkit writes are ``/<module path with slashes>/<OpType>[_n]``, and nodes that take
a node's place are named after it: ``/up1/Softmax/Exp``. PyTorch's TorchScript exporter repeats the
path within a path, ``/layer1/layer1.0/conv1/Conv``; its torch.export one keeps the scopes in the
node's metadata, ``"['', 'layer1', 'layer1.0', 'conv2d']"``, whose last one is the call itself.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Union

from atlas_hpe.errors import InputError
from atlas_hpe.files import read_bytes
from atlas_hpe.protowire import WireError, read_fields

__all__ = ["NAME_SCOPES", "OPERATORS", "find_module_of", "read_node_modules"]

#: Key of the node's metadata that holds the scopes.
NAME_SCOPES = "pkg.torch.onnx.name_scopes"

#: Operator types of ONNX, opset 1 to 28, training and machine learning included.
OPERATORS: FrozenSet[str] = frozenset(
    """
    Abs Acos Acosh Adagrad Adam Add AffineGrid And ArgMax ArgMin ArrayFeatureExtractor Asin
    Asinh Atan Atanh Attention AveragePool BatchNormalization Bernoulli Binarizer BitCast
    BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike CastMap
    CategoryMapper CausalConvWithState Ceil Celu CenterCropPad Clip Col2Im Compress Concat
    ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumProd
    CumSum DFT DeformConv DepthToSpace DequantizeLinear Det DictVectorizer Div Dropout
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike FeatureVectorizer Flatten
    FlexAttention Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool Gradient Greater GreaterOrEqual GridSample GroupNormalization
    HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder Imputer
    InstanceNormalization IsInf IsNaN LRN LSTM LabelEncoder LayerNormalization LeakyRelu Less
    LessOrEqual LinearAttention LinearClassifier LinearRegressor Log LogSoftmax Loop
    LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean
    MeanVarianceNormalization MelWeightMatrix Min Mish Mod Momentum Mul Multinomial Neg
    NegativeLogLikelihoodLoss NonMaxSuppression NonZero Normalizer Not OneHot OneHotEncoder
    Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul
    QuantizeLinear RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform
    RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize
    ReverseSequence RoiAlign RotaryEmbedding Round STFT SVMClassifier SVMRegressor Scaler Scan
    Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty
    SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin Sinh
    Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split
    SplitToSequence Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish
    Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose TreeEnsemble
    TreeEnsembleClassifier TreeEnsembleRegressor Trilu Unique Unsqueeze Upsample Where Xor
    ZipMap
    """.split()  # noqa: SIM905 - as a list it would fill five pages
)

_MAX_SCOPES = 4096  # characters; real ones have a few hundred
_COUNTER = re.compile(r"_\d+$")


def find_module_of(name: str, scopes: Optional[str] = None) -> Optional[str]:
    """The PyTorch module of a node.

    Args:
        name: Name of the node.
        scopes: What its metadata says under ``NAME_SCOPES``.

    Returns:
        Path of the module, with dots; ``""`` for the outermost one, None when nothing tells.
    """
    return _from_name(name) if scopes is None else _from_scopes(scopes)


def _from_scopes(text: str) -> Optional[str]:
    if len(text) > _MAX_SCOPES:
        return None
    try:
        scopes = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(scopes, list) or not all(isinstance(item, str) for item in scopes):
        return None
    return scopes[-2] if len(scopes) > 1 else ""


def _from_name(name: str) -> Optional[str]:
    if not name.startswith("/"):
        return None
    parts = name.strip("/").split("/")[:-1]
    while parts and _COUNTER.sub("", parts[-1]) in OPERATORS:
        parts.pop()
    path: List[str] = []
    for part in parts:
        if path and part.startswith(path[-1] + "."):
            path.pop()
        path.append(part)
    return ".".join(path)


def read_node_modules(path: Path) -> Dict[str, Optional[str]]:
    """Names of an ONNX file's nodes -> module, in the file's order; empty when it can't be read.

    Bodies of If and Loop are left out. Field numbers follow onnx.proto.
    """
    found: Dict[str, Optional[str]] = {}
    try:
        for number, graph in read_fields(memoryview(read_bytes(path))):
            if number != 7 or isinstance(graph, int):
                continue
            for key, node in read_fields(graph):
                if key == 1 and not isinstance(node, int):
                    _read_node(node, found)
    except (InputError, WireError, UnicodeDecodeError):
        return {}
    return found


def _read_node(node: memoryview, found: Dict[str, Optional[str]]) -> None:
    name, scopes = "", None  # type: str, Optional[str]
    for number, value in read_fields(node):
        if number == 3:
            name = _text(value)
        elif number == 9 and not isinstance(value, int):  # a StringStringEntryProto
            entry = {key: _text(text) for key, text in read_fields(value)}
            if entry.get(1) == NAME_SCOPES:
                scopes = entry.get(2, "")
    if name:
        found[name] = find_module_of(name, scopes)


def _text(value: Union[int, memoryview]) -> str:
    return "" if isinstance(value, int) else bytes(value).decode("utf-8")
