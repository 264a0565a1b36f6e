#include "golden/runner.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>

#include "golden/script.hpp"

namespace timesink::golden {
namespace {

/// Lines in order, the common ones once: longest common subsequence; scripts are short.
void print_difference(const std::vector<std::string>& expected, const std::vector<std::string>& actual) {
    std::vector<std::vector<std::size_t>> common(expected.size() + 1, std::vector<std::size_t>(actual.size() + 1));
    for (std::size_t i = expected.size(); i-- > 0;) {
        for (std::size_t j = actual.size(); j-- > 0;) {
            common[i][j] = expected[i] == actual[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
        }
    }
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < expected.size() || j < actual.size()) {
        if (i < expected.size() && j < actual.size() && expected[i] == actual[j]) {
            std::cout << "  " << expected[i++] << '\n';
            ++j;
        } else if (j == actual.size() || (i < expected.size() && common[i + 1][j] >= common[i][j + 1])) {
            std::cout << "- " << expected[i++] << '\n';
        } else {
            std::cout << "+ " << actual[j++] << '\n';
        }
    }
}

bool check(const std::string& path, bool update, const Render& render) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::cout << path << ": cannot be read\n";
        return false;
    }
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto script = parse_script(text);
    if (!script) {
        std::cout << path << ": " << script.error().what << '\n';
        return false;
    }
    const std::vector<std::string> actual = render(script->records);
    if (actual == script->expected) {
        return true;
    }
    if (update) {
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out << script->events;
        for (const std::string& line : actual) {
            out << "=> " << line << '\n';
        }
        std::cout << path << ": written\n";
        return out.good();
    }
    std::cout << path << ": not as expected (- expected, + came)\n";
    print_difference(script->expected, actual);
    return false;
}

}  // namespace

int run_golden(int argc, char** argv, const Render& render) {
    bool update = false;
    bool agree = true;
    for (int index = 1; index < argc; ++index) {
        if (std::string_view(argv[index]) == "--update") {
            update = true;
        } else {
            agree = check(argv[index], update, render) && agree;
        }
    }
    return agree ? 0 : 1;
}

}  // namespace timesink::golden
