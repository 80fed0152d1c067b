// SPDX-License-Identifier: MIT
#include "tests/support/raw_origin.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "appliance/base/assert.h"

namespace headgate::test {

// --- Connection ---

Connection::Connection(int socket, SSL_CTX* tls, int number) : socket_(socket), number_(number) {
  if (tls == nullptr) return;
  ssl_ = SSL_new(tls);
  HG_ASSERT(ssl_ != nullptr);
  SSL_set_fd(ssl_, socket_);
}

bool Connection::shake_hands() {
  if (ssl_ == nullptr) return true;
  const bool done = SSL_accept(ssl_) == 1;
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) sni_ = name;
  ERR_clear_error();
  return done;
}

Connection::~Connection() {
  if (ssl_ != nullptr) SSL_free(ssl_);
  close(socket_);
}

std::string Connection::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_, &name, &size);
  return std::string(reinterpret_cast<const char*>(name), size);
}

std::size_t Connection::receive(char* out, std::size_t room) {
  if (ssl_ == nullptr) {
    const ssize_t count = recv(socket_, out, room, 0);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  std::size_t count = 0;
  const bool got = SSL_read_ex(ssl_, out, room, &count) == 1;
  ERR_clear_error();
  return got ? count : 0;
}

std::string Connection::read_head() {
  for (;;) {
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (end != std::string::npos) {
      std::string head = buffer_.substr(0, end + 4);
      buffer_.erase(0, end + 4);
      return head;
    }
    char chunk[4096];
    const std::size_t count = receive(chunk, sizeof chunk);
    if (count == 0) return {};
    buffer_.append(chunk, count);
  }
}

std::string Connection::read_octets(std::size_t count) {
  while (buffer_.size() < count) {
    char chunk[65536];
    const std::size_t got = receive(chunk, sizeof chunk);
    if (got == 0) break;
    buffer_.append(chunk, got);
  }
  std::string octets = buffer_.substr(0, count);
  buffer_.erase(0, octets.size());
  return octets;
}

std::string Connection::read_to_end() { return read_octets(static_cast<std::size_t>(-1)); }

bool Connection::send(std::string_view octets) {
  while (!octets.empty()) {
    std::size_t count = 0;
    if (ssl_ == nullptr) {
      const ssize_t sent = ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      count = static_cast<std::size_t>(sent);
    } else if (SSL_write_ex(ssl_, octets.data(), octets.size(), &count) != 1) {
      ERR_clear_error();
      return false;
    }
    octets.remove_prefix(count);
  }
  return true;
}

bool Connection::send_or_note(std::string_view octets, const std::function<void()>& held_up) {
  while (!octets.empty()) {
    pollfd room{socket_, POLLOUT, 0};
    if (poll(&room, 1, 500) == 0) {
      held_up();
      continue;
    }
    const ssize_t sent = ::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Connection::finish() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  shutdown(socket_, SHUT_WR);
}

void Connection::reset() {
  const linger hard{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void Connection::shut() { shutdown(socket_, SHUT_RDWR); }

// --- RawOrigin ---

RawOrigin::RawOrigin(Script script) : RawOrigin(Options{}, std::move(script)) {}

RawOrigin::RawOrigin(Options options, Script script) : script_(std::move(script)) {
  std::signal(SIGPIPE, SIG_IGN);  // SSL_write to a client that has gone
  if (options.certificate != nullptr) make_tls(options);
  listen_on_loopback(options.ipv6);
  acceptor_ = std::thread([this] { accept_all(); });
}

RawOrigin::~RawOrigin() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);  // accept() returns
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    base::MutexLock lock(mutex_);
    for (const auto& connection : connections_) connection->shut();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  {
    base::MutexLock lock(mutex_);
    connections_.clear();
  }
  close(listener_);
  if (tls_ != nullptr) SSL_CTX_free(tls_);
}

void RawOrigin::listen_on_loopback(bool ipv6) {
  listener_ = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  HG_ASSERT(listener_ >= 0);
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (ipv6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_addr = in6addr_loopback;
    size = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof *address;
  }
  HG_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&storage), size) == 0);
  HG_ASSERT(listen(listener_, 64) == 0);
  HG_ASSERT(getsockname(listener_, reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  port_ = ntohs(ipv6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                     : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

void RawOrigin::make_tls(const Options& options) {
  tls_ = SSL_CTX_new(TLS_server_method());
  HG_ASSERT(tls_ != nullptr);
  SSL_CTX_set_security_level(tls_, 0);
  SSL_CTX_set_min_proto_version(tls_, options.min_tls);
  SSL_CTX_set_max_proto_version(tls_, options.max_tls);
  const auto bio = [](const std::string& pem) {
    return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  };
  BIO* certificate_in = bio(options.certificate->certificate_pem);
  BIO* key_in = bio(options.certificate->key_pem);
  X509* certificate = PEM_read_bio_X509(certificate_in, nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_in, nullptr, nullptr, nullptr);
  HG_ASSERT(SSL_CTX_use_certificate(tls_, certificate) == 1);
  HG_ASSERT(SSL_CTX_use_PrivateKey(tls_, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  BIO_free(certificate_in);
  BIO_free(key_in);

  for (const std::string& protocol : options.alpn) {
    alpn_.push_back(static_cast<char>(protocol.size()));
    alpn_.append(protocol);
  }
  if (alpn_.empty()) return;
  SSL_CTX_set_alpn_select_cb(
      tls_,
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
         unsigned in_size, void* wanted) {
        const auto& ours = *static_cast<const std::string*>(wanted);
        const int found = SSL_select_next_proto(const_cast<unsigned char**>(out), size,
                                                reinterpret_cast<const unsigned char*>(ours.data()),
                                                static_cast<unsigned>(ours.size()), in, in_size);
        return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
      },
      &alpn_);
}

void RawOrigin::accept_all() {
  while (!stopping_) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const int number = accepted_++;
    base::MutexLock lock(mutex_);
    threads_.emplace_back([this, socket, number] {
      std::shared_ptr<Connection> connection = std::make_shared<Connection>(socket, tls_, number);
      {
        base::MutexLock inner(mutex_);
        if (stopping_) return;
        connections_.push_back(connection);
      }
      if (connection->shake_hands()) script_(*connection);
      base::MutexLock inner(mutex_);
      std::erase(connections_, connection);
      connection.reset();
    });
  }
}

}  // namespace headgate::test
