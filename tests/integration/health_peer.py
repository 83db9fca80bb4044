"""A real gRPC server with a health service: `ok` serves, `bad` does not, others are not known. Prints its port. Wants Debian's
python3-grpcio; ends with 77 where there is none."""
import sys
from concurrent import futures

try:
    import grpc
except ImportError:
    sys.exit(77)


def check(request, context):
    service = request[2:].decode() if request else ""
    if service in ("", "ok"):
        return b"\x08\x01"
    if service == "bad":
        return b"\x08\x02"
    context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")


class Health(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(check)
        return None


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Health(),))
port = server.add_insecure_port(sys.argv[1] + ":0")
server.start()
print(port, flush=True)
sys.stdin.read()  # ends with who started it
