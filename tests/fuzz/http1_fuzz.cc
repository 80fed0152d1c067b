// SPDX-License-Identifier: MIT
// Fuzzes libh2o's HTTP/1 with our patches, from the socket to the handler: the first octet says in
// how many pieces the rest arrives. What the handler sees must keep the promises of
// appliance/h2o/README.md, whatever was sent.
#include <h2o.h>
#include <h2o/http1.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "appliance/base/assert.h"

namespace {

std::string_view view(const h2o_iovec_t& bytes) { return {bytes.base, bytes.len}; }

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

void check(const h2o_req_t& request) {
  HG_ASSERT(is_token(view(request.input.method)));
  const std::string_view path = view(request.input.path);
  HG_ASSERT(path == "*" || path.starts_with('/'));
  HG_ASSERT(is_printable(path) && path.find_first_of(" \t#") == std::string_view::npos);
  HG_ASSERT(request.version == 0x100 || request.version == 0x101);
  const std::string_view authority = view(request.input.authority);
  HG_ASSERT(authority.find_first_of(" \t/@,?#\\") == std::string_view::npos);
  for (std::size_t i = 0; i < request.headers.size; ++i) {
    const h2o_header_t& field = request.headers.entries[i];
    HG_ASSERT(is_token(view(*field.name)));
    HG_ASSERT(is_printable(view(field.value)));
    // Framing is nobody's business any more.
    HG_ASSERT(view(*field.name) != "content-length" && view(*field.name) != "transfer-encoding" &&
              view(*field.name) != "host");
  }
}

void on_body(h2o_req_t* request, void*, h2o_iovec_t, h2o_req_body_state_t state) {
  if (state == H2O_REQ_BODY_ERROR) return;
  if (state == H2O_REQ_BODY_MORE) return h2o_req_body_read(request, on_body, nullptr);
  request->res.status = 200;
  request->res.content_length = 2;
  h2o_send_inline(request, H2O_STRLIT("ok"));
}

int on_request(h2o_handler_t*, h2o_req_t* request) {
  check(*request);
  if (request->body.read != nullptr) {
    h2o_req_body_read(request, on_body, nullptr);
  } else {
    on_body(request, nullptr, {}, H2O_REQ_BODY_END);
  }
  return 0;
}

/// A server without a listener.
class Server {
 public:
  Server() {
    h2o_config_init(&conf_);
    conf_.stream_request_body = 1;
    conf_.http1.upgrade_to_http2 = 0;
    h2o_hostconf_t* host =
        h2o_config_register_host(&conf_, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t* path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&context_, h2o_evloop_create(), &conf_);
    accept_.ctx = &context_;
    accept_.hosts = conf_.hosts;
  }

  void serve(std::string_view octets, std::size_t pieces) {
    int ends[2];
    HG_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    h2o_socket_t* socket =
        h2o_evloop_socket_create(context_.loop, ends[0], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    open_ = true;
    socket->on_close.data = &open_;
    socket->on_close.cb = [](void* open) { *static_cast<bool*>(open) = false; };
    timeval now;
    gettimeofday(&now, nullptr);
    h2o_http1_accept(&accept_, socket, now);
    const std::size_t step = octets.size() / pieces + 1;
    for (std::size_t at = 0; at < octets.size() && open_; at += step) {
      const std::string_view piece = octets.substr(at, step);
      if (send(ends[1], piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;
      run();
    }
    shutdown(ends[1], SHUT_WR);
    run();
    close(ends[1]);
    for (int rounds = 0; open_ && rounds < 100; ++rounds) run();
    HG_ASSERT(!open_);
  }

 private:
  void run() {
    for (int i = 0; i < 4; ++i) h2o_evloop_run(context_.loop, 0);
  }

  h2o_globalconf_t conf_;
  h2o_context_t context_;
  h2o_accept_ctx_t accept_{};
  bool open_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  if (size == 0) return 0;
  server.serve({reinterpret_cast<const char*>(data) + 1, size - 1}, data[0] % 8 + 1U);
  return 0;
}
