import os

import grpc
from google.rpc.error_details_pb2 import BadRequest
from grpc_status import rpc_status
from stream.v1.stream_pb2 import BidiRequest, ClientStreamRequest
from stream.v1.stream_pb2_grpc import StreamServiceStub
from user.v1.user_pb2 import CreateUserRequest, ListUsersRequest
from user.v1.user_pb2_grpc import UserServiceStub

call = {"metadata": [("authorization", f"Bearer {os.environ['TOKEN']}")], "timeout": 10}  # seconds

with grpc.insecure_channel("localhost:8080") as channel:
    users, streams = UserServiceStub(channel), StreamServiceStub(channel)

    # The first user is created, and already exists the next time; the second one is not valid.
    for user in [CreateUserRequest(email="barbara@example.com", name="Barbara Liskov"), CreateUserRequest(email="barbara")]:
        try:
            print("created", users.CreateUser(user, **call).user.id)
        except grpc.RpcError as error:
            print(error.code().name, error.details())
            for detail in rpc_status.from_call(error).details:
                bad = BadRequest()
                if detail.Unpack(bad):
                    for violation in bad.field_violations:
                        print(" ", violation.field, violation.description)

    request = ListUsersRequest(page_size=100)
    while True:
        page = users.ListUsers(request, **call)
        for user in page.users:
            print(user.email, user.name)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break

    receipt = streams.ClientStream((ClientStreamRequest(chunk=bytes(64 * 1024)) for _ in range(16)), **call)
    print(receipt.total_bytes, "bytes, SHA-256", receipt.checksum)

    for answer in streams.BidirectionalStream((BidiRequest(message=text) for text in ["one", "two"]), **call):
        print(answer.reply)
