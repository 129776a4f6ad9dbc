module weir.test/faktory

go 1.22

require github.com/contribsys/faktory v1.9.0
