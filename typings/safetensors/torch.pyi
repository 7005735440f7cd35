from os import PathLike

from torch import Tensor, device

def load_file(filename: str | PathLike[str], device: str | int | device = "cpu") -> dict[str, Tensor]: ...
def save_file(
    tensors: dict[str, Tensor], filename: str | PathLike[str], metadata: dict[str, str] | None = None
) -> None: ...
