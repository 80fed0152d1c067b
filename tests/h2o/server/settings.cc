// SPDX-License-Identifier: MIT
// The test server's settings; a field is set only if this library has it.
#include "tests/h2o/server/settings.h"

#include <type_traits>

namespace headgate::h2o_test {
namespace {

template <class Field>
void assign(Field& field, long value) {
  field = static_cast<Field>(value);
}

// Two templates deep, so that `requires` can ask for a member that does not exist.
#define HG_FIELD(member)                                                 \
  if (name == #member) {                                                 \
    if constexpr (requires { conf.member; }) assign(conf.member, value); \
    return true;                                                         \
  }
#define HG_BUDGET(member, index)                                                                \
  if (name == "http2.budget." #member) {                                                        \
    if constexpr (requires { conf.http2.budget; }) assign(conf.http2.budget.max[index], value); \
    return true;                                                                                \
  }

template <class Conf>
bool set_any(Conf& conf, std::string_view name, long value) {
  HG_FIELD(max_request_entity_size)
  HG_FIELD(stream_request_body)
  HG_FIELD(write_progress.window)
  HG_FIELD(write_progress.min_bytes)
  HG_FIELD(handshake_timeout)
  HG_FIELD(http1.req_timeout)
  HG_FIELD(http1.idle_timeout)
  HG_FIELD(http1.accept_http2_preface)
  HG_FIELD(http1.upgrade_to_http2)
  HG_FIELD(http1.body_timeout)
  HG_FIELD(http1.body_min_rate)
  HG_FIELD(http1.body_min_rate_grace)
  HG_FIELD(http1.body_drain_bytes)
  HG_FIELD(http1.on_half_close)
  HG_FIELD(http1.max_request_line)
  HG_FIELD(http1.max_header_bytes)
  HG_FIELD(http1.max_headers)
  HG_FIELD(http2.idle_timeout)
  HG_FIELD(http2.graceful_shutdown_timeout)
  HG_FIELD(http2.max_concurrent_requests_per_connection)
  HG_FIELD(http2.max_concurrent_streams)
  HG_FIELD(http2.max_header_list_size)
  HG_FIELD(http2.max_header_fields)
  HG_FIELD(http2.max_continuations)
  HG_FIELD(http2.header_timeout)
  HG_FIELD(http2.stream_window)
  HG_FIELD(http2.connection_window)
  HG_FIELD(http2.body_timeout)
  HG_FIELD(http2.body_min_rate)
  HG_FIELD(http2.body_min_rate_grace)
  HG_FIELD(http2.budget.window)
  HG_BUDGET(resets, 0)
  HG_BUDGET(pings, 1)
  HG_BUDGET(settings, 2)
  HG_BUDGET(priorities, 3)
  HG_BUDGET(window_updates, 4)
  HG_BUDGET(empty_data, 5)
  HG_BUDGET(useless, 6)
  return false;
}

#undef HG_FIELD
#undef HG_BUDGET

LimitCounts limit_counts{};

template <class Conf>
void count_limits_if_told(Conf& conf) {
  if constexpr (requires { conf.on_limit; })
    conf.on_limit = [](auto*, auto limit) {
      limit_counts.at(static_cast<std::size_t>(limit)) += 1;
    };
}

}  // namespace

const LimitCounts& count_limits(h2o_globalconf_t& conf) {
  count_limits_if_told(conf);
  return limit_counts;
}

bool set_field(h2o_globalconf_t& conf, std::string_view name, long value) {
  return set_any(conf, name, value);
}

}  // namespace headgate::h2o_test
