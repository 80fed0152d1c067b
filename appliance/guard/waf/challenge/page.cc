// SPDX-License-Identifier: MIT
// The page that a browser gets instead of what it asked for: it computes, sets the cookie, and
// loads again.
#include <fmt/format.h>

#include "appliance/guard/waf/challenge/challenge.h"

namespace headgate::guard::waf {
namespace {

// The work is done in slices, so that the page stays alive; SHA-256 by FIPS 180-4, since
// crypto.subtle exists only on https pages and does one hash at a time.
constexpr std::string_view kScript = R"js(
(function () {
  'use strict';
  var K = [], H = [], n = 2, prime, i;
  function frac(x) { return ((x - Math.floor(x)) * 4294967296) | 0; }
  for (; K.length < 64; n++) {
    for (prime = true, i = 2; i * i <= n; i++) if (n % i === 0) { prime = false; break; }
    if (!prime) continue;
    if (H.length < 8) H.push(frac(Math.pow(n, 1 / 2)));
    K.push(frac(Math.pow(n, 1 / 3)));
  }
  function rotate(x, by) { return (x >>> by) | (x << (32 - by)); }
  function sha256(text) {
    var words = [], length = text.length, i, j, w = new Array(64), h = H.slice();
    for (i = 0; i < length; i++) words[i >> 2] |= text.charCodeAt(i) << (24 - (i % 4) * 8);
    words[length >> 2] |= 0x80 << (24 - (length % 4) * 8);
    var last = (((length + 8) >> 6) << 4) + 15;
    words[last] = length * 8;
    for (i = 0; i <= last; i += 16) {
      var s = h.slice();
      for (j = 0; j < 64; j++) {
        if (j < 16) w[j] = words[i + j] | 0;
        else {
          var a = w[j - 15], b = w[j - 2];
          w[j] = (w[j - 16] + w[j - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)) +
                  (rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10))) | 0;
        }
        var t1 = (s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
                  ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[j] + w[j]) | 0;
        var t2 = ((rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                  ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]))) | 0;
        s = [(t1 + t2) | 0, s[0], s[1], s[2], (s[3] + t1) | 0, s[4], s[5], s[6]];
      }
      for (j = 0; j < 8; j++) h[j] = (h[j] + s[j]) | 0;
    }
    return h;
  }
  function proves(h, bits) {
    for (var i = 0; bits > 0; i++, bits -= 32)
      if (bits >= 32 ? h[i] !== 0 : h[i] >>> (32 - bits) !== 0) return false;
    return true;
  }
  var task = JSON.parse(document.getElementById('challenge').textContent), nonce = 0;
  function done(proof) {
    document.cookie = task.cookie + '=' + proof + '; path=/; max-age=' + task.seconds +
      '; samesite=lax' + (location.protocol === 'https:' ? '; secure' : '');
    if (document.cookie.indexOf(proof) < 0)
      document.getElementById('text').textContent = 'This site needs cookies.';
    else location.reload();
  }
  (function work() {
    for (var end = nonce + 4000; nonce < end; nonce++) {
      var proof = task.challenge + '.' + nonce;
      if (proves(sha256(proof), task.bits)) return done(proof);
    }
    setTimeout(work, 0);
  })();
})();
)js";

}  // namespace

std::string challenge_page(std::string_view challenge, int bits, Duration immunity) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(immunity).count();
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"robots\" content=\"noindex\">\n<link rel=\"icon\" href=\"data:,\">\n"
      "<title>One moment</title>\n"
      "<p id=\"text\">One moment: your browser is being checked.</p>\n"
      "<noscript><p>This site needs JavaScript.</p></noscript>\n"
      "<script type=\"application/json\" id=\"challenge\">"
      "{{\"cookie\":\"{}\",\"challenge\":\"{}\",\"bits\":{},\"seconds\":{}}}</script>\n<script>",
      kChallengeCookie, challenge, bits, seconds);
  page += kScript;
  page += "</script>\n</html>\n";
  return page;
}

}  // namespace headgate::guard::waf
