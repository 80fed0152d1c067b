// SPDX-License-Identifier: MIT
// Whose memory the queue of a loop uses when one thread makes the loop and another runs it.
#include <h2o.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "tests/h2o/server/state.h"

namespace headgate::h2o_test {
namespace {

struct Receiver {
  h2o_multithread_receiver_t super;  // first: h2o hands it back
  std::atomic<bool> received{false};
};

void on_messages(h2o_multithread_receiver_t* self, h2o_linklist_t* messages) {
  while (!h2o_linklist_is_empty(messages)) h2o_linklist_unlink(messages->next);
  reinterpret_cast<Receiver*>(self)->received = true;
}

/// On a thread that has no buffers of its own yet.
long count_on_this_thread() {
  h2o_loop_t* loop = h2o_evloop_create();
  h2o_multithread_queue_t* queue = h2o_multithread_create_queue(loop);
  Receiver receiver;
  h2o_multithread_register_receiver(queue, &receiver.super, on_messages);
  std::thread runner([&] {
    while (!receiver.received) h2o_evloop_run(loop, 1000);
  });
  h2o_multithread_message_t message{};
  h2o_multithread_send_message(&receiver.super, &message);
  runner.join();
  const long count = static_cast<long>(h2o_socket_buffer_prototype.allocator.cnt);
  h2o_multithread_unregister_receiver(queue, &receiver.super);
  h2o_multithread_destroy_queue(queue);
  h2o_evloop_run(loop, 0);  // a closed socket is freed in the next round
  std::free(queue);
  std::free(loop);
  return count;
}

}  // namespace

long foreign_buffers() {
  long count = -1;
  std::thread([&count] { count = count_on_this_thread(); }).join();
  return count;
}

}  // namespace headgate::h2o_test
