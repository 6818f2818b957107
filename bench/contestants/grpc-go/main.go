// grpc-go with bare handlers: the yardstick from outside Node.js, on one core like the others.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	streamv1 "github.com/myapp/gen/stream/v1"
	userv1 "github.com/myapp/gen/user/v1"
)

const (
	seededUsers    = 1_000
	streamMessages = 10_000
)

type row struct {
	id, email, name string
	createdAt       time.Time
}

func (r *row) message() *userv1.User {
	at := timestamppb.New(r.createdAt)
	return &userv1.User{Id: r.id, Email: r.email, Name: r.name, CreatedAt: at, UpdatedAt: at, Etag: `"1"`}
}

type users struct {
	userv1.UnimplementedUserServiceServer
	rows []*row
	byID map[string]*row
}

func (u *users) GetUser(_ context.Context, request *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	found, ok := u.byID[request.Id]
	if !ok {
		return nil, status.Error(codes.NotFound, "user not found")
	}
	return &userv1.GetUserResponse{User: found.message()}, nil
}

func (u *users) ListUsers(_ context.Context, request *userv1.ListUsersRequest) (*userv1.ListUsersResponse, error) {
	response := &userv1.ListUsersResponse{NextPageToken: strings.Repeat("x", 96)}
	for _, found := range u.rows[:min(int(request.PageSize), len(u.rows))] {
		response.Users = append(response.Users, found.message())
	}
	return response, nil
}

type streams struct {
	streamv1.UnimplementedStreamServiceServer
}

func (*streams) ServerStream(request *streamv1.ServerStreamRequest, stream grpc.ServerStreamingServer[streamv1.ServerStreamResponse]) error {
	for sequence := range streamMessages {
		data := fmt.Sprintf("Result %d for query: %s", sequence, request.Query)
		if err := stream.Send(&streamv1.ServerStreamResponse{Data: data, Sequence: int32(sequence)}); err != nil {
			return err
		}
	}
	return nil
}

func (*streams) ClientStream(stream grpc.ClientStreamingServer[streamv1.ClientStreamRequest, streamv1.ClientStreamResponse]) error {
	hash, total := sha256.New(), 0
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			checksum := hex.EncodeToString(hash.Sum(nil))
			return stream.SendAndClose(&streamv1.ClientStreamResponse{TotalBytes: int64(total), Checksum: checksum})
		}
		if err != nil {
			return err
		}
		total += len(request.Chunk)
		hash.Write(request.Chunk)
	}
}

func (*streams) BidirectionalStream(stream grpc.BidiStreamingServer[streamv1.BidiRequest, streamv1.BidiResponse]) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&streamv1.BidiResponse{Reply: "Echo: " + request.Message}); err != nil {
			return err
		}
	}
}

func main() {
	directory := &users{byID: map[string]*row{}}
	for index := range seededUsers {
		user := &row{
			id:        fmt.Sprintf("01900000-0000-7000-8000-%012d", index),
			email:     fmt.Sprintf("user-%04d@example.com", index),
			name:      fmt.Sprintf("User %04d", index),
			createdAt: time.UnixMilli(1_767_225_600_000 + int64(index)),
		}
		directory.rows = append(directory.rows, user)
		directory.byID[user.id] = user
	}
	var options []grpc.ServerOption
	if file := os.Getenv("TLS_CERT_FILE"); file != "" {
		tls, err := credentials.NewServerTLSFromFile(file, os.Getenv("TLS_KEY_FILE"))
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(tls))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(options...)
	userv1.RegisterUserServiceServer(server, directory)
	streamv1.RegisterStreamServiceServer(server, &streams{})
	log.Fatal(server.Serve(listener))
}
