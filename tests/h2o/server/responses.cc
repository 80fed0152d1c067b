// SPDX-License-Identifier: MIT
// Responses of the test server: whole, in pieces, held back, and those that a handler should not
// send.
#include <h2o.h>
#include <h2o/http1.h>

#include <algorithm>
#include <string>

#include "tests/h2o/server/state.h"

namespace headgate::h2o_test {
namespace {

h2o_iovec_t bytes(std::string_view text) {
  return h2o_iovec_init(const_cast<char*>(text.data()), text.size());
}

const std::string& object(State& state, long size) {
  std::string& body = state.objects[size];
  if (body.empty()) body.assign(static_cast<size_t>(size), 'x');
  return body;
}

void add_header(h2o_req_t* req, const h2o_token_t* name, std::string_view value) {
  h2o_add_header(&req->pool, &req->res.headers, name, nullptr, value.data(), value.size());
}

/// A generator that sends `left` octets, `piece` at a time.
struct Pieces {
  h2o_generator_t super;
  const std::string* source;
  size_t left;
  size_t piece;
  h2o_send_state_t last;
};

void send_piece(h2o_generator_t* self, h2o_req_t* req) {
  auto* pieces = reinterpret_cast<Pieces*>(self);
  size_t size = std::min(pieces->left, pieces->piece);
  pieces->left -= size;
  h2o_iovec_t piece = bytes(std::string_view(*pieces->source).substr(0, size));
  h2o_send(req, &piece, 1, pieces->left != 0 ? H2O_SEND_STATE_IN_PROGRESS : pieces->last);
}

void send_pieces(State& state, h2o_req_t* req, long total, long piece, bool length_known,
                 h2o_send_state_t last) {
  auto* pieces = static_cast<Pieces*>(h2o_mem_alloc_shared(&req->pool, sizeof(Pieces), nullptr));
  size_t size = piece != 0 ? static_cast<size_t>(piece) : 65536;
  *pieces = Pieces{{send_piece, nullptr},
                   &object(state, static_cast<long>(size)),
                   static_cast<size_t>(total),
                   size,
                   last};
  req->res.status = req->res.status != 0 ? req->res.status : 200;
  req->res.content_length = length_known ? static_cast<size_t>(total) : SIZE_MAX;
  h2o_start_response(req, &pieces->super);
  send_piece(&pieces->super, req);
}

/// Sends `body` whole, without asking what the method or the status says about bodies, and declares
/// `length`.
void send_whole(h2o_req_t* req, int status, std::string_view body, size_t length) {
  static h2o_generator_t generator = {nullptr, nullptr};
  req->res.status = status;
  req->res.reason = "Whole";
  req->res.content_length = length;
  h2o_start_response(req, &generator);
  h2o_iovec_t whole = bytes(body);
  h2o_send(req, &whole, body.empty() ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void send_object(State& state, h2o_req_t* req, long size) {
  add_header(req, H2O_TOKEN_CONTENT_TYPE, "text/html");
  add_header(req, H2O_TOKEN_ETAG, "\"e\"");
  const std::string& body = object(state, size);
  bool head = view(req->method) == "HEAD";
  send_whole(req, 200, head ? std::string_view() : body, body.size());
}

void send_echo(h2o_req_t* req) {
  std::string text = "method=" + std::string(view(req->method)) +
                     " authority=" + std::string(view(req->authority)) +
                     " path=" + std::string(view(req->path)) +
                     " upgrade=" + std::string(view(req->upgrade)) + " entity=";
  text += req->entity.base == nullptr ? "none"
                                      : std::to_string(req->entity.len) + ":" +
                                            std::string(view(req->entity).substr(0, 40));
  for (size_t i = 0; i != req->headers.size; ++i) {
    const h2o_header_t& header = req->headers.entries[i];
    text += " [" + std::string(view(*header.name)) + "=" +
            std::string(view(header.value).substr(0, 60)) + "]";
  }
  send_text(req, 200, text + "\n");
}

/// The handler passes a Date of its own.
void send_date(h2o_req_t* req) {
  add_header(req, H2O_TOKEN_DATE, "Mon, 01 Jan 2001 00:00:00 GMT");
#ifdef H2O_HAS_RES_HAS_DATE
  req->res.has_date = 1;
#endif
  send_text(req, 200, "d\n");
}

/// One field that is the same in every response, one whose value never comes again.
void send_unique(h2o_req_t* req, std::string_view value) {
  h2o_headers_t& headers = req->res.headers;
  h2o_add_header_by_str(&req->pool, &headers, H2O_STRLIT("x-constant"), 0, nullptr,
                        H2O_STRLIT("constant"));
  h2o_add_header_by_str(&req->pool, &headers, H2O_STRLIT("x-unique"), 0, nullptr, value.data(),
                        value.size());
#ifdef H2O_HAS_HEADER_DONT_INDEX
  headers.entries[headers.size - 1].dont_index = 1;
#endif
  send_text(req, 200, "u\n");
}

/// `count` interim responses, each with a number and a field of its own.
void send_interim(h2o_req_t* req, long count) {
#ifdef H2O_HAS_SEND_INFORMATIONAL
  for (long i = 0; i != count; ++i) {
    const std::string number = std::to_string(i);
    h2o_iovec_t name = bytes("x-number");
    h2o_header_t headers[] = {{&H2O_TOKEN_LINK->buf, nullptr, bytes("</a>; rel=preload"), 0},
                              {&name, nullptr, bytes(number), 1}};
    h2o_send_informational(req, 103, headers, 2);
  }
#else
  static_cast<void>(req);
  static_cast<void>(count);
#endif
}

/// Switches protocols, sends `size` octets, and closes.
void upgrade(State& state, h2o_req_t* req, long size) {
  req->res.status = 101;
  req->res.reason = "Switching Protocols";
  add_header(req, H2O_TOKEN_UPGRADE, "test");
  h2o_iovec_t body = bytes(object(state, size));
  auto done = [](void* data, h2o_socket_t* socket, size_t) {
    static_cast<State*>(data)->upgrades_completed += 1;
    if (socket != nullptr) h2o_socket_close(socket);
  };
  h2o_http1_upgrade(req, &body, 1, done, &state);
}

}  // namespace

bool respond(State& state, h2o_req_t* req) {
  std::string_view path = path_of(req), rest = path;
  if (take(rest, "/object/")) {
    send_object(state, req, take_number(rest));
  } else if (take(rest, "/stream/") || take(rest, "/unknown/") || take(rest, "/cut/")) {
    long total = take_number(rest);
    take(rest, "/");
    long piece = take_number(rest);
    if (take(rest, "/")) req->res.status = static_cast<int>(take_number(rest));
    send_pieces(state, req, total, piece, path[1] == 's',
                path[1] == 'c' ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL);
  } else if (take(rest, "/hold")) {
    bool large = take(rest, "/");
    long size = take_number(rest);
    hold(state, req, [&state, req, large, size] {
      if (large) {
        send_object(state, req, size);
      } else {
        send_text(req, 200, "held\n");
      }
    });
  } else if (take(rest, "/interim/")) {
    send_interim(req, take_number(rest));
    if (take(rest, "/hold")) {
      hold(state, req, [req] { send_text(req, 200, "held\n"); });
    } else {
      send_text(req, 200, "final\n");
      send_interim(req, 1);  // too late: nothing happens
    }
  } else if (take(rest, "/status/")) {
    send_whole(req, static_cast<int>(take_number(rest)), "", 0);
  } else if (take(rest, "/content/")) {
    send_whole(req, static_cast<int>(take_number(rest)), "mistake", SIZE_MAX);
  } else if (take(rest, "/declares/")) {
    long declared = take_number(rest);
    take(rest, "/sends/");
    send_whole(req, 200, object(state, take_number(rest)), static_cast<size_t>(declared));
  } else if (take(rest, "/upgrade/") && view(req->upgrade) == "test") {
    upgrade(state, req, take_number(rest));
  } else if (take(rest, "/unique/")) {
    send_unique(req, rest);
  } else if (rest == "/date") {
    send_date(req);
  } else if (rest == "/echo" || rest.empty() || rest[0] != '/') {
    send_echo(req);  // the latter: what is not a path, such as that of OPTIONS *
  } else {
    return false;
  }
  return true;
}

void control(State& state, h2o_req_t* req) {
  std::string_view path = path_of(req);
  if (path == "/release") {
    // What is released may hold something again, or make other requests vanish.
    for (size_t count = state.held.size(); count != 0 && !state.held.empty(); --count) {
      std::function<void()> go;
      go.swap(state.held.front()->go);
      state.held.pop_front();
      go();
    }
    send_text(req, 200, "");
    return;
  }
  std::string text;
  auto line = [&text](const char* name, long value) {
    text += std::string(name) + "=" + std::to_string(value) + "\n";
  };
  line("shutting_down", state.shutting_down ? 1 : 0);
  line("loop_ms", static_cast<long>(h2o_now(state.context->loop)));
  line("foreign_buffers", foreign_buffers());
  line("connections", state.connections);
  line("requests", state.requests);
  line("disposed", state.disposed);
  line("held", static_cast<long>(state.held.size()));
  line("cancelled", state.cancelled);
  line("upgrades_completed", state.upgrades_completed);
  line("tls_bytes", state.tls_bytes);
  line("upload_calls", state.upload_calls);
  line("upload_bytes", state.upload_bytes);
  line("upload_largest", state.upload_largest);
  line("upload_errors", state.upload_errors);
  line("upload_ends", state.upload_ends);
  line("uploads_alive", state.uploads_alive);
  for (size_t i = 0; i != state.limits->size(); ++i)
    line(("limit_" + std::to_string(i)).c_str(), (*state.limits)[i]);
  send_text(req, 200, text);
}

}  // namespace headgate::h2o_test
