"""A standard gRPC client: calls the server as told, and prints what came back as one JSON object.

client.py ADDRESS delete SERVICE SESSION_ID      with messages compiled from proto/session.proto
client.py ADDRESS delete-by-reflection SESSION_ID  with messages learnt from the server
client.py ADDRESS reflect                        the services, and the fields of the messages
client.py ADDRESS health SERVICE
"""

import json
import pathlib
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

PACKAGE = "go.micro.srv.DeleteSession"
SECONDS = 20


def call(channel, path, message, answer_type):
    method = channel.unary_unary(
        path, request_serializer=type(message).SerializeToString, response_deserializer=answer_type.FromString
    )
    try:
        answer = method(message, timeout=SECONDS)
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}
    return {"code": "OK", "Errno": answer.Errno, "Errmsg": answer.Errmsg}


def compiled():
    """The messages of the checked-in file, made by the compiler that comes with grpcio-tools."""
    sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "proto"))
    return grpc.protos("session.proto")


def learnt(channel):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    return {name: pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in ("Request", "Response")}


def main(address, action, *rest):
    channel = grpc.insecure_channel(address)
    if action == "delete":
        service, session_id = rest
        messages = compiled()
        return call(channel, f"/{service}/DeleteSession", messages.Request(Sessionid=session_id), messages.Response)
    if action == "delete-by-reflection":
        kinds = {name: message_factory.GetMessageClass(kind) for name, kind in learnt(channel).items()}
        path = f"/{PACKAGE}.Example/DeleteSession"
        return call(channel, path, kinds["Request"](Sessionid=rest[0]), kinds["Response"])
    if action == "reflect":
        kinds = learnt(channel)
        numbers = {name.lower(): {field.name: field.number for field in kind.fields} for name, kind in kinds.items()}
        return {"services": sorted(ProtoReflectionDescriptorDatabase(channel).get_services()), **numbers}
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=rest[0]), timeout=SECONDS)
    return {"code": "OK", "status": health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}


print(json.dumps(main(*sys.argv[1:]), ensure_ascii=False))
