#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "drawn_memory.hpp"
#include "runtime/cpython.hpp"

namespace timesink::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kDictionaryType = 0x1000;
constexpr std::uint64_t kInterpreter = 0x2000;
constexpr std::uint32_t kModules = 888;

/// Objects of a 3.11, each at an address of its own.
class Objects : public Drawn {
public:
    using Entries = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

    std::uint64_t text_object(std::string_view value) {
        const std::uint64_t at = fresh();
        word(at + 16, value.size());
        text(at + 48, value);
        return at;
    }
    std::uint64_t c_string(const std::string& value) {
        const std::uint64_t at = fresh();
        text(at, std::string_view(value.c_str(), value.size() + 1));
        return at;
    }
    std::uint64_t dictionary(const Entries& entries) {
        const std::uint64_t at = fresh();
        const std::uint64_t keys = fresh();
        constexpr std::uint64_t kIndicesLog = 3;
        word(at + 8, kDictionaryType);
        word(at + 32, keys);
        for (const std::uint64_t offset : {0, 8, 16, 24, 32}) {
            word(keys + offset, 0);
        }
        word(keys + 8, kIndicesLog << 8);  // DICT_KEYS_GENERAL: hash, key, value
        word(keys + 24, entries.size());
        std::uint64_t entry = keys + 32 + (1U << kIndicesLog);
        for (const auto& [key, value] : entries) {
            word(entry, 0);
            word(entry + 8, key);
            word(entry + 16, value);
            entry += 24;
        }
        return at;
    }
    std::uint64_t module(const Entries& members) {
        const std::uint64_t at = fresh();
        word(at + 16, dictionary(members));
        return at;
    }
    std::uint64_t type(const std::string& name) {
        const std::uint64_t at = fresh();
        word(at + 24, c_string(name));
        return at;
    }
    std::uint64_t fresh() { return next_ += 0x1000; }

private:
    std::uint64_t next_ = 0x100000;
};

CPython python_with(Objects& objects, const Objects::Entries& modules) {
    CPython python{};
    python.layout.modules = kModules;
    python.interpreter = kInterpreter;
    python.minor = 11;
    python.dictionary_type = kDictionaryType;
    objects.word(kInterpreter + kModules, objects.dictionary(modules));
    return python;
}

/// A type with methods: names, functions, flags.
std::uint64_t queue_type(Objects& objects, std::uint32_t put_flags) {
    const std::uint64_t type = objects.type("SimpleQueue");
    const std::uint64_t methods = objects.fresh();
    const std::uint64_t functions = 0x9000;
    objects.word(type + 232, methods);
    std::uint64_t at = methods;
    for (const auto* const name : {"empty", "get", "get_nowait", "put", "puts"}) {
        objects.word(at, objects.c_string(name));
        objects.word(at + 8, functions + (at - methods));
        objects.word(at + 16, put_flags);
        at += 32;
    }
    objects.word(at, 0);
    return type;
}

TEST(CPythonHandOver, ExecutorsHandWorkOnThroughASimpleQueue) {
    Objects objects;
    const std::uint64_t type = queue_type(objects, kMethodFast | kMethodKeywords);
    const CPython python =
        python_with(objects, {{objects.text_object("_queue"), objects.module({{objects.text_object("SimpleQueue"), type}})}});
    const CPythonHandOver found = find_hand_over(python, objects);
    EXPECT_THAT(found.gets, ElementsAre(0x9020, 0x9040));
    EXPECT_THAT(found.puts, ElementsAre(0x9060));
    EXPECT_EQ(found.copy_context, 0U);
    EXPECT_FALSE(found.has_workers);
}

TEST(CPythonHandOver, AnArgumentIsNotLookedForWhereItIsPassedOtherwise) {
    Objects objects;
    const std::uint64_t type = queue_type(objects, 0x1);  // METH_VARARGS
    const CPython python =
        python_with(objects, {{objects.text_object("_queue"), objects.module({{objects.text_object("SimpleQueue"), type}})}});
    EXPECT_THAT(find_hand_over(python, objects).puts, IsEmpty());
}

TEST(CPythonHandOver, CopiesAreAskedForWhereAnyioHasWorkers) {
    Objects objects;
    const std::uint64_t function = objects.fresh();
    const std::uint64_t method = objects.fresh();
    objects.word(function + 16, method);
    objects.word(method + 8, 0x7000);
    std::vector<std::uint64_t> threads;
    for (const auto* const name : {"_MainThread", "WorkerThreads", "WorkerThread"}) {
        threads.push_back(objects.fresh());
        objects.word(threads.back() + 8, objects.type(name));
    }
    const auto with = [&](const Objects::Entries& active) {
        const std::uint64_t contextvars = objects.module({{objects.text_object("copy_context"), function}});
        const std::uint64_t threading = objects.module({{objects.text_object("_active"), objects.dictionary(active)}});
        return python_with(objects,
                           {{objects.text_object("_contextvars"), contextvars}, {objects.text_object("threading"), threading}});
    };
    const CPythonHandOver without = find_hand_over(with({{1, threads[0]}, {2, threads[1]}}), objects);
    EXPECT_EQ(without.copy_context, 0x7000U);
    EXPECT_FALSE(without.has_workers);
    EXPECT_TRUE(find_hand_over(with({{1, threads[0]}, {3, threads[2]}}), objects).has_workers);
}

TEST(CPythonHandOver, WhatCannotBeReadIsNotThere) {
    const Drawn nothing;
    CPython python{};
    python.layout.modules = kModules;
    python.interpreter = kInterpreter;
    const CPythonHandOver found = find_hand_over(python, nothing);
    EXPECT_THAT(found.gets, IsEmpty());
    EXPECT_EQ(found.copy_context, 0U);
    EXPECT_FALSE(found.has_workers);
}

CPython python_with_uvloop(Objects& objects, const std::string& version) {
    const std::uint64_t type = objects.type("uvloop.loop.UVStream");
    const std::uint64_t methods = objects.fresh();
    objects.word(type + 232, methods);
    objects.word(methods, objects.c_string("write"));
    objects.word(methods + 8, 0x9000);
    objects.word(methods + 16, kMethodOne);
    objects.word(methods + 32, objects.c_string("writelines"));
    objects.word(methods + 40, 0x9100);
    objects.word(methods + 48, kMethodFast | kMethodKeywords);
    objects.word(methods + 64, 0);
    const std::uint64_t package = objects.module({{objects.text_object("__version__"), objects.text_object(version)}});
    const std::uint64_t module = objects.module({{objects.text_object("UVStream"), type}});
    return python_with(objects, {{objects.text_object("uvloop"), package}, {objects.text_object("uvloop.loop"), module}});
}

TEST(CPythonTransport, UvloopBuffersBeforeZeroTwentyThree) {
    for (const auto* const version : {"0.16.0", "0.21.0", "0.22.1", "1.0.0", "a version that is too long"}) {
        Objects objects;
        const CPythonTransport found = find_buffering_transport(python_with_uvloop(objects, version), objects);
        EXPECT_THAT(found.writes, ElementsAre(0x9000)) << version;
        EXPECT_THAT(found.fast_writes, ElementsAre(0x9100)) << version;
    }
    Objects objects;
    const CPythonTransport found = find_buffering_transport(python_with_uvloop(objects, "0.23.0"), objects);
    EXPECT_THAT(found.writes, IsEmpty());
    EXPECT_THAT(found.fast_writes, IsEmpty());
}

TEST(CPythonTask, IsFoundInTheModuleOfTheInterpreter) {
    Objects objects;
    const std::uint64_t type = objects.type("_asyncio.Task");
    objects.word(type + 32, 0x120);
    objects.word(type + 296, 0x5000);
    const CPython python =
        python_with(objects, {{objects.text_object("asyncio"), objects.module({})},
                              {objects.text_object("_asyncio"),
                               objects.module({{objects.text_object("Future"), 1}, {objects.text_object("Task"), type}})}});
    const auto task = find_task(python, objects);
    ASSERT_TRUE(task);
    EXPECT_EQ(task->initializer, 0x5000U);
    EXPECT_EQ(task->bytes, 0x120U);
}

}  // namespace
}  // namespace timesink::runtime
