"""Plugin for buf with the gRPC stubs of grpcio-tools, which offers them in its own protoc alone."""

import pathlib
import sys
import tempfile

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = plugin_pb2.CodeGeneratorResponse(
    supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
)
with tempfile.TemporaryDirectory() as folder:
    contract = pathlib.Path(folder, "contract.binpb")
    contract.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
    options = [f"--descriptor_set_in={contract}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *options, *request.file_to_generate]) != 0:
        sys.exit(1)
    for path in pathlib.Path(folder).rglob("*.py"):
        response.file.add(name=path.relative_to(folder).as_posix(), content=path.read_text())
sys.stdout.buffer.write(response.SerializeToString())
