"""A small class with the manners that ascend.md section 2.3 tells of AclLite's model class.

It calls whatever module ``acl`` is loaded. It says what goes wrong by print and None, or by a bare
Exception; it leaves itself half built; with dynamic batch it appends the hidden input, newly
allocated, to the caller's list; its outputs have the shape of the largest batch; what it allocated
for the hidden input is never freed, and the dataset of the inputs stays when a run fails.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

NORMAL_ONLY = 2
HIDDEN = "ascend_mbatch_shape_data"
TYPES = {0: "f4", 1: "f2", 2: "i1", 3: "i4", 4: "u1", 6: "i2", 9: "i8", 11: "f8", 12: "u1"}


def say(*words: object) -> None:
    sys.stdout.write("".join(str(word) for word in words) + "\n")


def log_error(*words: object) -> None:
    say("\033[1;31;40m", *words, "\033[0m")


def is_file(path: str) -> bool:
    return Path(path).is_file()


def expect(name: str, code: int) -> None:
    if code != 0:
        raise Exception(f"{name} failed ret_int={code}")  # noqa: TRY002


class AclLiteModel:
    def __init__(self, model_path: str) -> None:
        self.acl: Any = sys.modules["acl"]
        mode, code = self.acl.rt.get_run_mode()
        expect("acl.rt.get_run_mode", code)
        self.fetch_kind = 2 if mode == 1 else 3
        self._model_id: Optional[int] = None
        self.desc = self.results = None
        self._input_dataset: Optional[int] = None
        self.memory: List[int] = []
        say("Init model resource start...")
        if not is_file(model_path):
            log_error("model_path failed, please check. model_path=", model_path)
        else:
            self._load(model_path)
        self._is_destroyed = False

    def _load(self, model_path: str) -> None:
        acl = self.acl
        self._model_id, code = acl.mdl.load_from_file(model_path)
        expect("acl.mdl.load_from_file", code)
        self.desc = acl.mdl.create_desc()
        expect("acl.mdl.get_desc", acl.mdl.get_desc(self.desc, self._model_id))
        self.results = acl.mdl.create_dataset()
        for index in range(acl.mdl.get_num_outputs(self.desc)):
            size = acl.mdl.get_output_size_by_index(self.desc, index)
            pointer, code = acl.rt.malloc(size, NORMAL_ONLY)
            expect("acl.rt.malloc", code)
            self.memory.append(pointer)
            acl.mdl.add_dataset_buffer(self.results, acl.create_data_buffer(pointer, size))

    def execute(self, input_list: List[Dict[str, int]]) -> Optional[List[np.ndarray]]:
        return self._run(input_list, None)

    def _execute_with_dynamic_batch_size(
        self, input_list: List[Dict[str, int]], batch: int
    ) -> Optional[List[np.ndarray]]:
        return self._run(input_list, batch)

    def _run(
        self, input_list: List[Dict[str, int]], batch: Optional[int]
    ) -> Optional[List[np.ndarray]]:
        acl = self.acl
        place, code = acl.mdl.get_input_index_by_name(self.desc, HIDDEN)
        if code == 0:
            size = acl.mdl.get_input_size_by_index(self.desc, place)
            pointer, code = acl.rt.malloc(size, NORMAL_ONLY)
            expect("acl.rt.malloc", code)
            input_list.append({"data": pointer, "size": size})
        feeds = self._input_dataset = acl.mdl.create_dataset()
        for index, item in enumerate(input_list):
            if item["size"] != acl.mdl.get_input_size_by_index(self.desc, index):
                say("Input size not equal om size, may cause inference result error")
            buffer = acl.create_data_buffer(item["data"], item["size"])
            acl.mdl.add_dataset_buffer(feeds, buffer)
        code = 0
        if batch is not None:
            code = acl.mdl.set_dynamic_batch_size(self._model_id, feeds, place, batch)
        code = code or acl.mdl.execute(self._model_id, feeds, self.results)
        if code != 0:
            log_error("Execute model failed for acl.mdl.execute error ", code)
            return None
        self._release_dataset(feeds)
        self._input_dataset = None
        return [self._fetch(index) for index in range(len(self.memory))]

    def _fetch(self, index: int) -> np.ndarray:
        acl = self.acl
        shape = acl.mdl.get_output_dims(self.desc, index)[0]["dims"]
        dtype = TYPES[acl.mdl.get_output_data_type(self.desc, index)]
        size = acl.mdl.get_output_size_by_index(self.desc, index)
        data = bytes(size)
        if hasattr(acl.util, "bytes_to_ptr"):
            array = np.frombuffer(data, dtype)
            pointer = acl.util.bytes_to_ptr(data)
        else:
            array = np.zeros(size // np.dtype(dtype).itemsize, dtype)
            pointer = acl.util.numpy_to_ptr(array)
        code = acl.rt.memcpy(pointer, size, self.memory[index], size, self.fetch_kind)
        expect("acl.rt.memcpy", code)
        return array.reshape(shape)

    def _release_dataset(self, dataset: int) -> None:
        acl = self.acl
        for index in range(acl.mdl.get_dataset_num_buffers(dataset)):
            acl.destroy_data_buffer(acl.mdl.get_dataset_buffer(dataset, index))
        acl.mdl.destroy_dataset(dataset)

    def destroy(self) -> None:
        if self._is_destroyed:
            return
        acl = self.acl
        if self.results is not None:
            for pointer in self.memory:
                acl.rt.free(pointer)
            self._release_dataset(self.results)
        if self._model_id:
            acl.mdl.unload(self._model_id)
        if self.desc:
            acl.mdl.destroy_desc(self.desc)
        self._is_destroyed = True
        say("AclLiteModel release source success")

    def __del__(self) -> None:
        self.destroy()
