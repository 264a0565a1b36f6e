#include "s3/answer.hpp"

#include <algorithm>
#include <string>

#include "base/ascii.hpp"

namespace timesink::s3 {

std::string_view element(std::string_view document, std::string_view name) {
    const std::string open = "<" + std::string(name) + ">";
    const std::size_t begin = document.find(open);
    if (begin == std::string_view::npos) {
        return {};
    }
    const std::string_view rest = document.substr(begin + open.size());
    const std::size_t end = rest.find('<');
    const std::string close = "</" + std::string(name) + ">";
    if (end == std::string_view::npos || end > kLongestText || rest.substr(end, close.size()) != close) {
        return {};
    }
    const std::string_view text = rest.substr(0, end);
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || std::string_view("._-~=+/%:").find(c) != std::string_view::npos;
    });
    return plain ? text : std::string_view();
}

std::string_view error_code(std::string_view document) {
    const std::size_t error = document.find("<Error");
    return error == std::string_view::npos ? std::string_view() : element(document.substr(error), "Code");
}

}  // namespace timesink::s3
