module ntd-snippet

go 1.25
