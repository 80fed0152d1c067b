// SPDX-License-Identifier: MIT
// What the handlers of the test server share, and what /stats on the control port tells.
#pragma once

#include <h2o.h>

#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "tests/h2o/server/settings.h"

namespace headgate::h2o_test {

/// Work that a request has postponed until somebody asks for /release on the control port.
struct Held {
  std::function<void()> go;  // empty once it has run
};

/// Threads: one; everything runs on the loop.
struct State {
  h2o_context_t* context = nullptr;
  const LimitCounts* limits = nullptr;
  std::map<long, std::string> objects;  // bodies by size; they live as long as the server
  std::list<Held*> held;

  bool shutting_down = false;
  long connections = 0;         // open, those of the control port excluded
  long requests = 0;            // that reached the handler
  long disposed = 0;            // of these, whose memory has been released
  long cancelled = 0;           // disposed of while they were held
  long upgrades_completed = 0;  // callbacks of h2o_http1_upgrade
  long tls_bytes = 0;           // encrypted so far
  long upload_calls = 0;        // pieces delivered
  long upload_bytes = 0;        // in them
  long upload_largest = 0;      // the largest piece
  long upload_errors = 0;       // H2O_REQ_BODY_ERROR
  long upload_ends = 0;         // H2O_REQ_BODY_END
  long uploads_alive = 0;       // being read by a handler
};

/// The handler that serves every path; `state` outlives it.
struct Handler {
  h2o_handler_t super;
  State* state;
};

inline std::string_view view(const h2o_iovec_t& bytes) { return {bytes.base, bytes.len}; }

/// The path up to the query.
std::string_view path_of(const h2o_req_t* req);
/// Takes `prefix` off `text`; false and unchanged if it does not start so.
bool take(std::string_view& text, std::string_view prefix);
/// Takes a decimal number off `text`; 0 if there is none.
long take_number(std::string_view& text);
/// Responds with a body that is copied.
void send_text(h2o_req_t* req, int status, std::string_view body);
/// Runs `go` at the next /release, unless the request is gone by then (which counts as cancelled).
void hold(State& state, h2o_req_t* req, std::function<void()> go);

/// Responds to everything but uploads; false if there is no such path.
bool respond(State& state, h2o_req_t* req);
/// Responds to uploads; false if there is no such path.
bool receive(State& state, h2o_req_t* req);
/// Responds on the control port: /stats, /release.
void control(State& state, h2o_req_t* req);

/// Buffers that a thread got into its own list by a loop that it made and another thread ran.
long foreign_buffers();

}  // namespace headgate::h2o_test
