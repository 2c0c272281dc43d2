module github.com/modelwatch/modelwatch/client

go 1.24
