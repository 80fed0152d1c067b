// SPDX-License-Identifier: MIT
// Files of secrets that sops has encrypted: what the repository says of them.
#pragma once

#include <string>
#include <vector>

namespace headgate::schema {

/// A value of such a file. As sops walks the file, items of lists have the path of their list.
struct SopsValue {
  std::string name;  ///< the keys that lead to it, joined by '.'; empty below a list
  std::string path;  ///< the same for the authentication of the value: "a:b:"
  std::string text;  ///< `ENC[…]`, or as sops hashes what is in clear
  bool encrypted = false;
};

/// A `*.sops.yaml` of the repository, still encrypted.
struct SopsFile {
  struct Recipient {
    std::string name;  ///< age1…
    std::string key;   ///< the file's key, encrypted for it: an armored file of age
  };
  std::string file;
  std::vector<SopsValue> values;  ///< in their order, which the MAC depends on
  std::vector<Recipient> age;
  std::string mac;            ///< ENC[…]
  std::string last_modified;  ///< what the MAC is bound to
  bool mac_only_encrypted = false;
};

}  // namespace headgate::schema
