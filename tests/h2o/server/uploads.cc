// SPDX-License-Identifier: MIT
// Handlers that read the request body as a stream, each in another way. Without streaming they see
// the buffered body.
#include <h2o.h>

#include <algorithm>
#include <new>
#include <string>

#include "tests/h2o/server/state.h"

namespace headgate::h2o_test {

#ifdef H2O_HAS_REQ_BODY_STREAM

namespace {

enum class Mode {
  kCollect,  // reads as fast as it can, responds at the end
  kStep,     // as kCollect, but each read waits for /release
  kEarly,    // responds 403 after `limit` octets
  kEcho,     // sends back what it reads while it reads
};

struct Upload {
  h2o_generator_t super;
  State* state;
  h2o_req_t* req;
  Mode mode;
  long limit;
  long bytes;
  long pieces;
  uint32_t sum;  // polynomial of base 31 of all octets
};

void on_upload_disposed(void* memory) {
  auto* upload = static_cast<Upload*>(memory);
  upload->state->uploads_alive -= 1;
  upload->~Upload();
}

void on_piece(h2o_req_t* req, void* data, h2o_iovec_t piece, h2o_req_body_state_t body_state);

void read_next(Upload* upload) {
  if (upload->mode == Mode::kStep) {
    hold(*upload->state, upload->req,
         [upload] { h2o_req_body_read(upload->req, on_piece, upload); });
  } else {
    h2o_req_body_read(upload->req, on_piece, upload);
  }
}

void on_echo_sent(h2o_generator_t* self, h2o_req_t*) { read_next(reinterpret_cast<Upload*>(self)); }

void on_piece(h2o_req_t* req, void* data, h2o_iovec_t piece, h2o_req_body_state_t body_state) {
  auto* upload = static_cast<Upload*>(data);
  State& state = *upload->state;
  if (body_state == H2O_REQ_BODY_ERROR) {
    state.upload_errors += 1;
    return;
  }
  bool end = body_state == H2O_REQ_BODY_END;
  state.upload_calls += 1;
  state.upload_bytes += static_cast<long>(piece.len);
  state.upload_largest = std::max(state.upload_largest, static_cast<long>(piece.len));
  state.upload_ends += end ? 1 : 0;
  upload->pieces += 1;
  upload->bytes += static_cast<long>(piece.len);
  for (char octet : view(piece)) upload->sum = upload->sum * 31 + static_cast<unsigned char>(octet);
  if (upload->mode == Mode::kEcho) {
    h2o_send(req, &piece, piece.len != 0 ? 1 : 0,
             end ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
  } else if (end) {
    send_text(req, 200,
              "bytes=" + std::to_string(upload->bytes) + " sum=" + std::to_string(upload->sum) +
                  " pieces=" + std::to_string(upload->pieces) + "\n");
  } else if (upload->mode == Mode::kEarly && upload->bytes >= upload->limit) {
    send_text(req, 403, "enough\n");
  } else {
    read_next(upload);
  }
}

Upload* begin(State& state, h2o_req_t* req, Mode mode, long limit) {
  void* memory = h2o_mem_alloc_shared(&req->pool, sizeof(Upload), on_upload_disposed);
  state.uploads_alive += 1;
  return new (memory) Upload{{on_echo_sent, nullptr}, &state, req, mode, limit, 0, 0, 0};
}

void start_echo(Upload* upload, size_t content_length) {
  upload->req->res.status = 200;
  upload->req->res.content_length = content_length;
  h2o_start_response(upload->req, &upload->super);
}

}  // namespace

bool receive(State& state, h2o_req_t* req) {
  std::string_view path = path_of(req), rest = path;
  if (!take(rest, "/upload")) return false;
  if (req->body.read == nullptr) {
    send_text(req, 200, "buffered bytes=" + std::to_string(req->entity.len) + "\n");
  } else if (take(rest, "/step")) {
    read_next(begin(state, req, Mode::kStep, 0));
  } else if (take(rest, "/early/")) {
    read_next(begin(state, req, Mode::kEarly, take_number(rest)));
  } else if (rest == "/refused") {  // without reading anything
    send_text(req, 403, "no\n");
  } else if (rest == "/unread") {  // responds at the next /release, without reading anything
    hold(state, req, [req] { send_text(req, 200, "did not read\n"); });
  } else if (rest == "/echo") {
    Upload* upload = begin(state, req, Mode::kEcho, 0);
    start_echo(upload, req->body.content_length);
    read_next(upload);
  } else if (rest == "/answered") {  // responds first, then reads
    Upload* upload = begin(state, req, Mode::kEcho, 0);
    start_echo(upload, SIZE_MAX);
    h2o_iovec_t mark = h2o_iovec_init(H2O_STRLIT("!"));
    h2o_send(req, &mark, 1, H2O_SEND_STATE_IN_PROGRESS);
  } else {
    read_next(begin(state, req, Mode::kCollect, 0));
  }
  return true;
}

#else

bool receive(State&, h2o_req_t* req) {
  std::string_view path = path_of(req);
  if (!take(path, "/upload")) return false;
  send_text(req, 200, "buffered bytes=" + std::to_string(req->entity.len) + "\n");
  return true;
}

#endif

}  // namespace headgate::h2o_test
