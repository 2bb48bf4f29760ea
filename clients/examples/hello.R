# Rscript clients/examples/hello.R http://127.0.0.1:8080
suppressPackageStartupMessages({ library(curl); library(jsonlite) })
call <- function(path, ...) {
  body <- toJSON(list(...), digits = NA, auto_unbox = TRUE)  # 15 digits, the most that jsonlite writes
  handle <- new_handle(postfields = body, httpheader = "Content-Type: application/json")
  answer <- curl_fetch_memory(paste0(commandArgs(TRUE)[1], path), handle)
  fromJSON(rawToChar(answer$content))
}
x <- matrix(c(1, 3, 2, 4), 2); w <- matrix(c(0.5, -1), 2)
print(call("/affine/forward", x = x, w = w, b = I(10))$out)
