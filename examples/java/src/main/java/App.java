import com.google.protobuf.ByteString;
import com.google.rpc.BadRequest;
import io.grpc.*;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.List;
import java.util.concurrent.TimeUnit;
import stream.v1.Stream.*;
import stream.v1.StreamServiceGrpc;
import user.v1.UserOuterClass.*;
import user.v1.UserServiceGrpc;

public class App {
  public static void main(String[] args) throws Exception {
    var token = new Metadata();
    token.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + System.getenv("TOKEN"));
    var channel = Grpc.newChannelBuilder("localhost:8080", InsecureChannelCredentials.create())
        .intercept(MetadataUtils.newAttachHeadersInterceptor(token))
        .build();
    var users = UserServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(10, TimeUnit.SECONDS);
    var streams = StreamServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(10, TimeUnit.SECONDS);

    // The first user is created, and already exists the next time; the second one is not valid.
    for (var user : List.of(
        CreateUserRequest.newBuilder().setEmail("barbara@example.com").setName("Barbara Liskov"),
        CreateUserRequest.newBuilder().setEmail("barbara"))) {
      try {
        System.out.println("created " + users.createUser(user.build()).getUser().getId());
      } catch (StatusException error) {
        System.out.println(error.getMessage());
        for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
          if (detail.is(BadRequest.class)) System.out.println(detail.unpack(BadRequest.class));
        }
      }
    }

    var request = ListUsersRequest.newBuilder().setPageSize(100);
    do {
      var page = users.listUsers(request.build());
      page.getUsersList().forEach(user -> System.out.println(user.getEmail() + " " + user.getName()));
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());

    var upload = streams.clientStream();
    for (int i = 0; i < 16; i++) {
      upload.write(ClientStreamRequest.newBuilder().setChunk(ByteString.copyFrom(new byte[64 * 1024])).build());
    }
    upload.halfClose();
    System.out.println(upload.read());

    var chat = streams.bidirectionalStream();
    chat.write(BidiRequest.newBuilder().setMessage("one").build());
    System.out.println(chat.read().getReply());
    chat.halfClose();

    channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
  }
}
