/* Readers of a JSON number array: each fills a vector that has the array's length, and is false
 * where it cannot. */
#ifndef BENCH_NUMBER_READERS_H
#define BENCH_NUMBER_READERS_H

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fast_float/fast_float.h>
#include <jansson.h>
#include <rapidjson/reader.h>
#include <simdjson.h>

using std::atomic_size_t; /* the headers below are C's */

extern "C" {
#include "codec/json_array.h"
#include "codec/number.h"
}

/* A text, and the same with the room behind it that simdjson asks for. */
struct document_text {
    std::string plain;
    simdjson::padded_string padded;

    explicit document_text(const std::string &text) : plain(text), padded(text) {
    }
};

inline number_status read_number(const char **at, const char *end, double *value) {
    return number_read_f64(at, end, value);
}

inline number_status read_number(const char **at, const char *end, float *value) {
    return number_read_f32(at, end, value);
}

template <class T> layers_dtype dtype() {
    return sizeof(T) == 8 ? LAYERS_F64 : LAYERS_F32;
}

/* Numbers one after the other, by a function that gives the end of what it read. */
template <class T, class Read>
bool read_each(const document_text &text, std::vector<T> &out, Read read) {
    const char *at = text.plain.data() + 1, *end = text.plain.data() + text.plain.size();
    for (T &value : out)
        if (!(at = read(at, end, value)) || (*at != ',' && *at != ']'))
            return false;
        else
            at++;
    return at == end;
}

template <class T> bool read_layerd(const document_text &text, std::vector<T> &out) {
    return read_each(text, out, [](const char *at, const char *end, T &value) {
        return read_number(&at, end, &value) == NUMBER_OK ? at : nullptr;
    });
}

template <class T> bool read_layerd_array(const document_text &text, std::vector<T> &out) {
    json_cursor cursor = {};
    cursor.start = cursor.at = text.plain.data();
    cursor.end = cursor.start + text.plain.size();
    layers_tensor tensor;
    problem problem;
    if (!json_array_read(&cursor, dtype<T>(), "/x", &tensor, &problem))
        return false;
    bool good = tensor.size == out.size();
    if (good) /* a copy that the daemon does not make: a few tenths of a ns */
        memcpy(out.data(), tensor.data, out.size() * sizeof(T));
    layers_tensor_clear(&tensor);
    return good;
}

template <class T> bool read_from_chars(const document_text &text, std::vector<T> &out) {
    return read_each(text, out, [](const char *at, const char *end, T &value) {
        auto result = std::from_chars(at, end, value);
        return result.ec == std::errc() ? result.ptr : nullptr;
    });
}

template <class T> bool read_fast_float(const document_text &text, std::vector<T> &out) {
    return read_each(text, out, [](const char *at, const char *end, T &value) {
        auto result = fast_float::from_chars(at, end, value);
        return result.ec == std::errc() ? result.ptr : nullptr;
    });
}

template <class T> bool read_strtod(const document_text &text, std::vector<T> &out) {
    return read_each(text, out, [](const char *at, const char *, T &value) -> const char * {
        char *after;
        value = sizeof(T) == 8 ? T(strtod(at, &after)) : T(strtof(at, &after));
        return after;
    });
}

template <class T> bool read_simdjson(const document_text &text, std::vector<T> &out) {
    static simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    simdjson::ondemand::array array;
    if (parser.iterate(text.padded).get(document) || document.get_array().get(array))
        return false;
    size_t i = 0;
    for (auto element : array) {
        double value;
        if (element.get(value) || i == out.size())
            return false;
        out[i++] = T(value);
    }
    return i == out.size();
}

template <class T> bool read_rapidjson(const document_text &text, std::vector<T> &out) {
    struct sink : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, sink> {
        T *at;
        bool put(double value) {
            return *at++ = T(value), true;
        }
        bool Double(double value) {
            return put(value);
        }
        bool Int(int value) {
            return put(value);
        }
        bool Uint(unsigned value) {
            return put(value);
        }
        bool Int64(int64_t value) {
            return put(double(value));
        }
        bool Uint64(uint64_t value) {
            return put(double(value));
        }
    } handler;
    handler.at = out.data();
    rapidjson::Reader reader;
    rapidjson::StringStream stream(text.plain.c_str());
    return reader.Parse<rapidjson::kParseFullPrecisionFlag>(stream, handler) &&
           handler.at == out.data() + out.size();
}

template <class T> bool read_jansson(const document_text &text, std::vector<T> &out) {
    json_t *root = json_loadb(text.plain.data(), text.plain.size(), 0, nullptr);
    bool good = json_array_size(root) == out.size();
    for (size_t i = 0; good && i < out.size(); i++)
        out[i] = T(json_number_value(json_array_get(root, i)));
    json_decref(root);
    return good;
}

#endif
