// SPDX-License-Identifier: MIT
// Small things that every handler of the test server needs.
#include "tests/h2o/server/state.h"

#include <new>

namespace headgate::h2o_test {
namespace {

struct Hold {
  State* state;
  Held held;
};

void on_hold_disposed(void* memory) {
  auto* hold = static_cast<Hold*>(memory);
  if (hold->held.go) {
    hold->state->held.remove(&hold->held);
    hold->state->cancelled += 1;
  }
  hold->~Hold();
}

}  // namespace

std::string_view path_of(const h2o_req_t* req) { return view(req->path).substr(0, req->query_at); }

bool take(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

long take_number(std::string_view& text) {
  long value = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    value = value * 10 + (text[0] - '0');
    text.remove_prefix(1);
  }
  return value;
}

void send_text(h2o_req_t* req, int status, std::string_view body) {
  req->res.status = status;
  req->res.reason = "Text";
  req->res.content_length = body.size();
  h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, nullptr,
                 H2O_STRLIT("text/plain"));
  h2o_send_inline(req, body.data(), body.size());
}

void hold(State& state, h2o_req_t* req, std::function<void()> go) {
  void* memory = h2o_mem_alloc_shared(&req->pool, sizeof(Hold), on_hold_disposed);
  auto* hold = new (memory) Hold{&state, {std::move(go)}};
  state.held.push_back(&hold->held);
}

}  // namespace headgate::h2o_test
