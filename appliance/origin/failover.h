// SPDX-License-Identifier: MIT
// One fetch from an origin or an origin group: members in order until one gives an answer that is
// not a reason to go on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "appliance/origin/client.h"

namespace headgate::origin {

/// Members in order of preference; a plain origin is a group of one without criteria. Threads:
/// immutable.
struct Group {
  struct Member {
    std::shared_ptr<const Endpoint> endpoint;
    std::size_t index = 0;  ///< in the distribution's origins: for the request builder
  };
  std::string id;
  std::vector<Member> members;
  std::vector<int> failover_status_codes;

  /// Whether every member is down.
  bool is_sick() const;
};

/// Builds the request as it goes to one member: Host, origin path and custom headers differ between
/// them.
using RequestBuilder = base::UniqueFunction<Request(const Group::Member&)>;

/// Who answered, and who was tried before.
struct Attempted {
  const Group::Member* member = nullptr;
  int attempts = 0;
  bool failed_over = false;
};

/// Sends the request to the first member that is not down (client.h, Latch), or to the first when
/// all are; goes on to the next on a connection failure, a timeout or a broken connection before
/// any content has come, or a status code of the criteria (whose body is dropped). Only for GET,
/// HEAD and OPTIONS without a body; other methods go to the first member alone. The last member's
/// answer, good or bad, is the answer. The sink hears of one response only. Threads: the loop's.
/// Destroying cancels.
class Fetch {
 public:
  Fetch(Client& client, base::Loop& loop, std::shared_ptr<const Group> group, std::string method,
        RequestBuilder build, Sink& sink);
  ~Fetch();
  void start();
  void resume();
  void body_ready();
  Attempted attempted() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headgate::origin
