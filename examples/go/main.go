package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	streamv1 "example.com/app/gen/stream/v1"
	userv1 "example.com/app/gen/user/v1"
)

func main() {
	conn := must(grpc.NewClient("localhost:8080", grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	users, streams := userv1.NewUserServiceClient(conn), streamv1.NewStreamServiceClient(conn)

	// The deadline of all calls, and their token.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("TOKEN"))

	created, err := users.CreateUser(ctx, &userv1.CreateUserRequest{Email: "barbara@example.com", Name: "Barbara Liskov"})
	if err != nil { // the second time, AlreadyExists
		fmt.Println(status.Code(err), status.Convert(err).Message())
	} else {
		fmt.Println("created", created.User.Id)
	}

	_, err = users.CreateUser(ctx, &userv1.CreateUserRequest{Email: "barbara"})
	fmt.Println(status.Code(err), status.Convert(err).Message())
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range bad.FieldViolations {
				fmt.Printf("  %s %s\n", violation.Field, violation.Description)
			}
		}
	}

	request := &userv1.ListUsersRequest{PageSize: 100}
	for more := true; more; more = request.PageToken != "" {
		page := must(users.ListUsers(ctx, request))
		for _, user := range page.Users {
			fmt.Println(user.Email, user.Name)
		}
		request.PageToken = page.NextPageToken
	}

	upload := must(streams.ClientStream(ctx))
	for range 16 {
		// It fails when the server has ended the call; CloseAndRecv says why.
		if upload.Send(&streamv1.ClientStreamRequest{Chunk: make([]byte, 64<<10)}) != nil {
			break
		}
	}
	receipt := must(upload.CloseAndRecv())
	fmt.Println(receipt.TotalBytes, "bytes, SHA-256", receipt.Checksum)

	chat := must(streams.BidirectionalStream(ctx))
	for _, message := range []string{"one", "two"} {
		if err := chat.Send(&streamv1.BidiRequest{Message: message}); err != nil {
			break
		}
		fmt.Println(must(chat.Recv()).Reply)
	}
	chat.CloseSend()
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
