// SPDX-License-Identifier: MIT
#include "appliance/origin/curl/multi.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "appliance/base/assert.h"

namespace headgate::origin {
namespace {

/// Of all endpoints of one worker, busy ones included; beyond it the oldest idle connection goes.
constexpr long kMaxConnections = 1024;
constexpr int kEventsAtOnce = 64;

}  // namespace

CurlMulti::CurlMulti(base::Loop& loop)
    : loop_(loop),
      deadline_timer_(loop.timers(), [this] { on_deadline(); }),
      task_timer_(loop.timers(), [this] { run_tasks(); }) {
  // Counted, and safe from several threads since libcurl 7.84.
  HG_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  HG_ASSERT(epoll_ >= 0);
  multi_ = curl_multi_init();
  share_ = curl_share_init();
  HG_ASSERT(multi_ != nullptr && share_ != nullptr);
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kMaxConnections);
  // libcurl 7.88 stops reading an HTTP/2 connection whole when one of its streams is paused: a slow
  // viewer would stall the others. One stream at a time on a connection, as many connections as
  // needed.
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  watch_ = loop.watch_readable(epoll_, [this] { on_readable(); });
}

CurlMulti::~CurlMulti() {
  // Tasks may own what still points here; they are dropped first.
  tasks_.clear();
  curl_multi_cleanup(multi_);
  curl_share_cleanup(share_);
  watch_.reset();
  close(epoll_);
  curl_global_cleanup();
}

void CurlMulti::add(CURL* easy) { HG_ASSERT(curl_multi_add_handle(multi_, easy) == CURLM_OK); }

void CurlMulti::remove(CURL* easy) {
  HG_ASSERT(curl_multi_remove_handle(multi_, easy) == CURLM_OK);
}

void CurlMulti::soon(base::UniqueFunction<void()> task) {
  tasks_.push_back(std::move(task));
  if (!task_timer_.pending()) task_timer_.schedule_after(Duration::zero());
}

void CurlMulti::run_tasks() {
  std::vector<base::UniqueFunction<void()>> tasks;
  tasks.swap(tasks_);
  for (base::UniqueFunction<void()>& task : tasks) task();
  deliver_messages();
}

int CurlMulti::on_socket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  static_cast<CurlMulti*>(self)->watch_socket(socket, what, known != nullptr);
  return 0;
}

void CurlMulti::watch_socket(curl_socket_t socket, int what, bool known) {
  if (what == CURL_POLL_REMOVE) {
    // libcurl may have closed it already; then the kernel has forgotten it too.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return;
  }
  epoll_event event{};
  event.data.fd = socket;
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0) {
    const int other = errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    HG_ASSERT(epoll_ctl(epoll_, other, socket, &event) == 0);
  }
  if (!known) curl_multi_assign(multi_, socket, this);
}

int CurlMulti::on_timer(CURLM*, long timeout_ms, void* self) {
  static_cast<CurlMulti*>(self)->set_deadline(timeout_ms);
  return 0;
}

void CurlMulti::set_deadline(long timeout_ms) {
  if (timeout_ms < 0) {
    deadline_timer_.cancel();
    return;
  }
  // libcurl rounds down, and so do we; woken before its own clock agrees it would do nothing, and
  // not ask again.
  const bool at_once = timeout_ms == 0;
  deadline_timer_.schedule_at(at_once ? loop_.now() : base::mono_now() + Duration(timeout_ms + 2));
}

void CurlMulti::on_deadline() {
  drive(CURL_SOCKET_TIMEOUT, 0);
  if (!deadline_timer_.pending()) {
    long timeout_ms = -1;
    curl_multi_timeout(multi_, &timeout_ms);
    // 0 here would mean that libcurl left something undone that it just had the time for: come back
    // in a moment.
    if (timeout_ms >= 0) set_deadline(timeout_ms == 0 ? 1 : timeout_ms);
  }
  deliver_messages();
}

void CurlMulti::on_readable() {
  std::array<epoll_event, kEventsAtOnce> events;
  const int count = epoll_wait(epoll_, events.data(), kEventsAtOnce, 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    int mask = 0;
    if ((event.events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    // A reset must not look like silence, whatever libcurl waits for.
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    drive(event.data.fd, mask);
  }
  deliver_messages();
}

void CurlMulti::drive(curl_socket_t socket, int mask) {
  int running = 0;
  HG_ASSERT(curl_multi_socket_action(multi_, socket, mask, &running) == CURLM_OK);
}

void CurlMulti::deliver_messages() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    void* owner = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    remove(easy);
    static_cast<EasyOwner*>(owner)->on_done(code);
  }
}

}  // namespace headgate::origin
