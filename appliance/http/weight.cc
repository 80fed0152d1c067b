// SPDX-License-Identifier: MIT
#include "appliance/http/weight.h"

#include "appliance/http/field.h"

namespace headgate::http {

std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = (text[0] - '0') * kFullWeight;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return std::nullopt;
  int place = kFullWeight / 10;
  for (const char digit : text.substr(2)) {
    if (!is_digit(digit)) return std::nullopt;
    weight += (digit - '0') * place;
    place /= 10;
  }
  return weight <= kFullWeight ? std::optional<int>(weight) : std::nullopt;
}

int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = parameters.find(';');
    const std::string_view parameter = trim(parameters.substr(0, end));
    parameters.remove_prefix(end == std::string_view::npos ? parameters.size() : end + 1);
    if (parameter.size() >= 2 && to_lower(parameter[0]) == 'q' && parameter[1] == '=')
      return parse_weight(parameter.substr(2)).value_or(0);
  }
  return kFullWeight;
}

}  // namespace headgate::http
